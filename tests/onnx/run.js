// node run.js MODEL.onnx NAME=INPUT.npy...: the outputs by ONNX Runtime, a number a line, sample after
// sample as netcc predict prints them. Inputs are float32 in C order.
const fs = require('fs');
const ort = require('onnxruntime-node');

function npy(path) {
    const bytes = fs.readFileSync(path);
    const header = bytes.subarray(10, 10 + bytes.readUInt16LE(8)).toString('latin1');
    const dims = header.match(/'shape': \(([^)]*)\)/)[1].split(',').filter(s => s.trim()).map(Number);
    const data = bytes.subarray(10 + bytes.readUInt16LE(8));
    const values = new Float32Array(data.length / 4);
    values.forEach((_, i) => { values[i] = data.readFloatLE(4 * i); });
    return new ort.Tensor('float32', values, dims);
}

(async () => {
    const session = await ort.InferenceSession.create(process.argv[2], {logSeverityLevel: 3});
    const feeds = {};
    process.argv.slice(3).forEach(word => {
        const cut = word.indexOf('=');
        feeds[word.slice(0, cut)] = npy(word.slice(cut + 1));
    });
    const results = await session.run(feeds);
    const outputs = session.outputNames.map(name => results[name]);
    const rows = outputs[0].dims[0];
    for (let row = 0; row < rows; row++) {
        for (const {data} of outputs) {
            const size = data.length / rows;
            data.subarray(row * size, (row + 1) * size).forEach(v => console.log(v));
        }
    }
})().catch(error => { console.error(String(error)); process.exit(1); });
