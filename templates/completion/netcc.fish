# fish completion for netcc: `netcc complete` knows the options, this passes its answers on.
function __netcc_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l current (commandline -ct)
    for line in ($words[1] complete --word=$words[2..-1] 2>/dev/null)
        switch $line
            case ':files' ':specs'
                __fish_complete_path $current
            case ':folders'
                __fish_complete_directories $current
            case '*'
                echo $line
        end
    end
end
complete -c netcc -f -a '(__netcc_complete)'
