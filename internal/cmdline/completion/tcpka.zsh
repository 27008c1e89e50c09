#compdef tcpka
# zsh completion for tcpka. Put it as _tcpka in a directory of $fpath, or load it
# with: source <(tcpka completion zsh)
#
# What was typed goes to tcpka as arguments and is never evaluated.
_tcpka() {
    local -a typed candidates
    typed=("${(@)words[2,CURRENT]}")
    candidates=("${(@f)$(tcpka "${typed[@]}" --generate-bash-completion 2>/dev/null)}")
    if (( ${#candidates} )) && [[ -n ${candidates[1]} ]]; then
        compadd -a candidates
    else
        _files
    fi
}
if [[ $funcstack[1] == _tcpka ]]; then
    _tcpka "$@"
else
    compdef _tcpka tcpka
fi
