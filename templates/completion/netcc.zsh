#compdef netcc
# zsh completion for netcc: `netcc complete` knows the options, this passes its answers on.
_netcc()
{
    local line mode=none
    local -a answers
    while IFS= read -r line; do
        case $line in
        :*) mode=${line#:} ;;
        *) answers+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
        esac
    done < <("${words[1]}" complete "${(@)words[2,CURRENT]/#/--word=}" 2>/dev/null)
    (( ${#answers} )) && _describe -t answers netcc answers
    case $mode in
    files) _files ;;
    specs) _files -g '*.(yaml|yml)' ;;
    folders) _files -/ ;;
    esac
}
if [[ $funcstack[1] == _netcc ]]; then
    _netcc "$@"
else
    compdef _netcc netcc
fi
