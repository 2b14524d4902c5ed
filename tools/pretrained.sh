#!/bin/bash
# Writes docs/pretrained.md: each network of tests/import/files.txt, what it must give, what it gives.
# NETCC_DATA names the folder of the networks.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/.."
{
    cat <<'END'
# Pretrained networks

Real files, imported and measured by `tools/pretrained.sh`: accuracies in percent on the samples that
`tests/import/files.txt` says, how many of the photographs of ImageNet are right at first and among
five, `outputs` where no right answers are known (the network runs and all its results are finite), or
the message that refuses the file.

SqueezeNet was measured as 38 and 55 where the pictures came from: there the long side of a picture was
rounded when the short one became 256, and the window's corner cut off; netcc does the opposite, as
torchvision does. On those pictures netcc gives 38 and 55, with the same first class for all 67 as was
written down, and ONNX Runtime gives 39 and 55 on netcc's. Their probabilities differ by 0.0003 at most
(ONNX Runtime computes in half precision).

| file | expected | measured |
|---|---|---|
END
    NETCC=${NETCC:-build/netcc} tests/import/measure.sh | sed 's/needs [^ \t]* \([^\t]*\)/outputs, once netcc has \1/' |
        awk -F '\t' '{ gsub(/\|/, "\\|"); printf "| %s | %s | %s |\n", $1, $2, $3 }'
} >docs/pretrained.md.part
mv docs/pretrained.md.part docs/pretrained.md
