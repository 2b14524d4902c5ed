#!/bin/sh
# packages.sh [--optional] PACKAGE...: installs the Debian packages that are missing. COMMAND:PACKAGE counts
# as there where the command is. With --optional each is tried by itself, without removing any other, and
# one that cannot be had is only said.
set -u
optional=
[ "${1:-}" != --optional ] || { optional=1; shift; }
missing=
for word; do
    package=${word#*:}
    if [ "$package" != "$word" ] && command -v "${word%%:*}" >/dev/null; then continue; fi
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null; then
    echo "please install:$missing"
    [ -n "$optional" ]
    exit
fi
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
install() {
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
echo "installing:$missing"
# shellcheck disable=SC2086 # a list
if [ -z "$optional" ]; then
    $sudo apt-get update -qq && install $missing
    exit
fi
$sudo apt-get update -qq
for package in $missing; do
    install --no-remove "$package" 2>/dev/null || echo "$package cannot be had: its tests will be skipped"
done
exit 0
