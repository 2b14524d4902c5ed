#!/bin/sh
# Every template is C as it stands: with its defaults as macros it compiles without a warning, and its
# kernel does what the plain loops of NAME.c here do, under gcc (with sanitizers), clang, tcc over the
# native vocabulary, and tcc in scalar double. `variant` lines of NAME.c set other values. The block
# templates are for tcc alone. BUILD names the folder that make built in; a name as an argument runs
# that template alone.
cd "$(dirname "$0")" || exit 2
build=${BUILD:-../../build}
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
warn="-std=c99 -Wall -Wextra -Werror -ffp-contract=off"
include="-I$folder -I. -I../../runtime"
passed=0
failed=0
number=0

${CC:-cc} -I../../compiler defaults.c "$build"/compiler/template.o "$build"/compiler/embedded.o \
    "$build"/compiler/base/*.o "$build"/runtime/spelling.o -o "$folder/defaults" || exit 2
${CC:-cc} -I../../runtime host.c "$build"/runtime/isa.o "$build"/runtime/cpu.o "$build"/runtime/native_*.o \
    -ltcc -ldl -lm -o "$folder/host" || exit 2
"$folder/host" >"$folder/natives.h" || exit 2
"$folder/defaults" ../../templates/unit.c >"$folder/template_unit.c" || exit 2

# The check $2 of template $1 with every variant, as one source: most of a compile is what they share.
# What is defined for a variant is undefined behind it, what it declares has its number.
write_check() {
    variants=
    count=0
    printf '#define _POSIX_C_SOURCE 200809L\n#include "check.h"\n'
    while read -r variant; do
        file=$folder/template_$count.c
        # shellcheck disable=SC2086
        "$folder/defaults" "$1" $variant >"$file"
        printf '#define TEMPLATE "template_%d.c"\n' $count
        names=$(sed -nE -e 's/^#define \$name //p' \
            -e 's/^(static|int) [^(=;]*\b([a-z]+)( =|[(;]).*/\2/p' "$file" "$2.c" | sort -u)
        for word in $names; do
            echo "#define $word ${word}_$count"
        done
        echo "#include \"$2.c\""
        for word in TEMPLATE $names $(sed -n 's/^#define \([^ (]*\).*/\1/p' "$file" "$2.c"); do
            echo "#undef $word"
        done
        variants="${variants}main_$count, "
        count=$((count + 1))
    done <"$folder/variants"
    echo "static int (*const variants[])(void) = {$variants};"
    echo '#include "variants.h"'
}

# Compiles and runs that source with the compiler $1.
check_with() {
    case $1 in
    gcc) gcc $warn -O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all $include \
        "$folder/check.c" -lm -o "$folder/check" && "$folder/check" ;;
    clang) clang $warn -Wno-dollar-in-identifier-extension -O1 $include "$folder/check.c" -lm \
        -o "$folder/check" && "$folder/check" ;;
    tcc) "$folder/host" "$folder/check.c" "$folder" . ../../runtime ;;
    scalar) tcc -Wall -Werror -DNC_SCALAR -DNC_DOUBLE $include -run -lm "$folder/check.c" ;;
    esac >"$folder/log" 2>&1
}

report() { # name compiler variant status: with the messages of variant $number
    if [ "$4" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL templates/$1 $2 $3"
        awk -v n=$number '/^variant [0-9]+ (pass|fail)/ { at = $2 + 1; next } at == n' "$folder/log" | head -8
    fi
}

for template in ../../templates/${1:-*}.c; do
    name=$(basename "$template" .c)
    # the block form of a kernel without a chain does what the other does
    check=$name
    [ -f "$check.c" ] || check=${name%_block}
    if [ ! -f "$check.c" ]; then
        case $name in
        product_*) continue ;; # the frame of a product: tests/emitted
        esac
        report "$name" "has no check" "" 1 </dev/null
        continue
    fi
    case $name in
    *_block) compilers="tcc" ;;
    *) compilers="gcc clang tcc scalar" ;;
    esac
    if [ -f "../../templates/${name}_block.c" ] && [ ! -f "${name}_block.c" ]; then
        compilers="gcc clang scalar" # calls scalar primitives, which are no natives
    fi
    { echo; sed -n 's|^// variant: ||p' "$check.c"; } >"$folder/variants"
    write_check "$template" "$check" >"$folder/check.c"
    for compiler in $compilers; do
        before=$failed
        number=0
        check_with "$compiler"
        while read -r variant; do
            grep -qx "variant $number passes" "$folder/log"
            report "$name" "$compiler" "$variant" $?
            number=$((number + 1))
        done <"$folder/variants"
        [ "$failed" -eq "$before" ] && echo "ok templates/$name $compiler"
    done
done
echo "templates: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
