package answer

// Span is a range in a table: "239 .. 240", or one number where both ends read the
// same.
func Span(from, to Seconds) string {
	if a, b := from.String(), to.String(); a != b {
		return a + " .. " + b
	}
	return from.String()
}

// Between is a range in a sentence: "between 239 and 240 s", or "240 s".
func Between(from, to Seconds) string {
	if from == to {
		return from.String() + " s"
	}
	return "between " + from.String() + " and " + to.String() + " s"
}
