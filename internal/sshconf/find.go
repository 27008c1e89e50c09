package sshconf

// FindClient looks up [ClientKeywords] in the files of ssh. The first line that
// applies decides. Files that are not there, or may not be read, are no error, as
// for ssh. A file that ssh would refuse is not always one either: only
// [Programs.Client] knows every keyword.
//
// No command is run: where a Match exec, or another criterion that is not known
// here, could decide, the setting is unsure.
func FindClient(c Client) (f Findings, err error) {
	err = AsUser(c.As, func() (err error) {
		f, err = c.find()
		return err
	})
	return f, err
}

// FindServer looks up [ServerKeywords] in the files of sshd. The first line
// outside every Match block decides, unless a Match block that applies has the
// keyword: then the first of those does, wherever it stands.
//
// Where a criterion is not known here, or the connection is not, the setting is
// unsure.
func FindServer(v Server) (f Findings, err error) {
	err = AsUser(v.As, func() (err error) {
		f, err = v.find()
		return err
	})
	return f, err
}
