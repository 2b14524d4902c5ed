# bash completion for netcc: `netcc complete` knows the options; this asks it.
_netcc()
{
    local word line last='' mode=none words=() current=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()
    # readline splits at '=': --backend=tcc comes as three words, and so does image=x.npy
    for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
        case $last/$word in
        --*/= | /=) words+=("") last='' ;;
        ?*/= | *=/*) words[-1]+=$word last=${words[-1]} ;;
        *)
            if [[ $last || ${#words[@]} == 0 ]]; then words+=("$word"); else words[-1]=$word; fi
            last=$word
            ;;
        esac
    done
    [[ $current == = ]] && current=
    while IFS= read -r line; do
        case $line in
        :*) mode=${line#:} ;;
        *) COMPREPLY+=("${line%%$'\t'*}") ;;
        esac
    done < <("${COMP_WORDS[0]}" complete "${words[@]/#/--word=}" 2>/dev/null)
    [[ $mode == none ]] && return 0
    compopt -o filenames 2>/dev/null
    while IFS= read -r line; do
        case $mode/$line in
        specs/*.yaml | specs/*.yml | files/*) COMPREPLY+=("$line") ;;
        *) [[ -d ${line/#\~/$HOME} ]] && COMPREPLY+=("$line") ;;
        esac
    done < <(compgen -f -- "$current")
    return 0
}
complete -F _netcc netcc
