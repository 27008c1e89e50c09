# bash completion for tcpka. Put it in /usr/share/bash-completion/completions/tcpka
# or load it with: source <(tcpka completion bash)
#
# What was typed goes to tcpka as arguments and is never evaluated.
_tcpka() {
    # bash takes --flag=value apart at the =, and replaces what is behind it.
    local i word cur= typed=
    local -a words=()
    for ((i = 1; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $word == = && $typed == --* || $typed == --*= ]]; then
            typed+=$word
            words[${#words[@]}-1]=$typed
        else
            typed=$word
            words+=("$word")
        fi
        cur=$word
    done
    [[ $cur == = ]] && cur=
    COMPREPLY=()
    while IFS= read -r word; do
        [[ $word == "$typed"* ]] && COMPREPLY+=("${word#"${typed%"$cur"}"}")
    done < <(tcpka "${words[@]}" --generate-bash-completion 2>/dev/null)
}
complete -o default -F _tcpka tcpka
