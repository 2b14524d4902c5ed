#!/bin/bash
# Writes docs/pretrained.md: each network of tests/import/files.txt, what it must give, what it gives.
# NETCC_DATA names the folder of the networks.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/.."
{
    cat <<'END'
# Pretrained networks

Real files, imported and measured by `tools/pretrained.sh`: accuracies in percent on the samples that
`tests/import/files.txt` says, `outputs` where no right answers are known (the network runs and all its
results are finite), or the message that refuses the file.

| file | expected | measured |
|---|---|---|
END
    NETCC=${NETCC:-build/netcc} tests/import/measure.sh | sed 's/needs [^ \t]* \([^\t]*\)/outputs, once netcc has \1/' |
        awk -F '\t' '{ gsub(/\|/, "\\|"); printf "| %s | %s | %s |\n", $1, $2, $3 }'
} >docs/pretrained.md.part
mv docs/pretrained.md.part docs/pretrained.md
