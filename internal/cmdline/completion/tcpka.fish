# fish completion for tcpka. Put it in a completions directory of fish, or load it
# with: tcpka completion fish | source
#
# What was typed goes to tcpka as arguments and is never evaluated.
function __tcpka_complete
    set -l typed (commandline -opc)
    set -l cur (commandline -ct)
    tcpka $typed[2..] "$cur" --generate-bash-completion 2>/dev/null
end
complete -c tcpka -a '(__tcpka_complete)'
