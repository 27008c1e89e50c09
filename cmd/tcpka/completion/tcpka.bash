# bash completion for tcpka. Put it in /usr/share/bash-completion/completions/tcpka
# or load it with: source <(tcpka completion bash)
#
# What was typed goes to tcpka as arguments and is never evaluated.
_tcpka() {
    local word cur=${COMP_WORDS[COMP_CWORD]}
    local -a words=("${COMP_WORDS[@]:1:COMP_CWORD}")
    COMPREPLY=()
    while IFS= read -r word; do
        [[ $word == "$cur"* ]] && COMPREPLY+=("$word")
    done < <(tcpka "${words[@]}" --generate-bash-completion 2>/dev/null)
}
complete -o default -F _tcpka tcpka
