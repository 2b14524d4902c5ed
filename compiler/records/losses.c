/* Losses, as Keras computes them. Probabilities are clipped at 1e-7; where the output is a softmax
 * or a sigmoid the loss is taken from its logits instead, which needs no clipping. */
#include "attributes.h"
#include "records/record.h"

#define CLIPPED(p) "min(max(" p ", 1e-7), 1 - 1e-7)"

static const AttrDef sparse_attrs[] = {
    {"from_logits", ATTR_BOOL, "false", "the output is logits, not probabilities", 0, 0, NULL},
    ATTRS_END};

static const AttrDef crossentropy_attrs[] = {
    {"from_logits", ATTR_BOOL, "false", "the output is logits, not probabilities", 0, 0, NULL},
    {"label_smoothing", ATTR_NUMBER, "0", "share of the target that is spread over all classes", 0,
     1, NULL},
    ATTRS_END};

LOSS(sparse_categorical_crossentropy) = {
    .record = {.name = "sparse_categorical_crossentropy",
               .doc = "-log of the probability of the true class; targets are class numbers.",
               .attrs = sparse_attrs},
    .sparse = true,
    .least_units = 2,
    .instead = "binary_crossentropy",
    .expr = "p = a / reduce_sum(a);"
            "-log(reduce_sum(where(index(a) == b, " CLIPPED("p") ", 0)))",
    .logits_op = "softmax",
    .logits_expr = "sparse_softmax_crossentropy(a, b)"};

#define SMOOTHED "t = b * (1 - label_smoothing) + label_smoothing / classes;"
LOSS(categorical_crossentropy) = {
    .record = {.name = "categorical_crossentropy",
               .doc = "-sum of target * log(probability); targets are distributions over classes.",
               .attrs = crossentropy_attrs},
    .least_units = 2,
    .instead = "binary_crossentropy",
    .expr = SMOOTHED "p = a / reduce_sum(a);"
                     "-reduce_sum(t * log(" CLIPPED("p") "))",
    .logits_op = "softmax",
    .logits_expr = SMOOTHED "softmax_crossentropy(a, t)"};

#define SMOOTHED_BINARY "t = b * (1 - label_smoothing) + 0.5 * label_smoothing;"
LOSS(binary_crossentropy) = {
    .record = {.name = "binary_crossentropy",
               .doc = "Cross-entropy of each element as a yes or no of its own.",
               .attrs = crossentropy_attrs},
    .expr = SMOOTHED_BINARY "p = " CLIPPED("a") ";"
                                                "-(t * log(p) + (1 - t) * log(1 - p))",
    .logits_op = "sigmoid",
    .logits_expr = SMOOTHED_BINARY "sigmoid_crossentropy(a, t)"};

LOSS(mean_squared_error) = {.record = {.name = "mean_squared_error",
                                       .alias = "mse",
                                       .doc = "Mean of (prediction - target) squared."},
                            .expr = "d = a - b; d * d"};

LOSS(mean_absolute_error) = {.record = {.name = "mean_absolute_error",
                                        .alias = "mae",
                                        .doc = "Mean of |prediction - target|."},
                             .expr = "abs(a - b)"};

static const AttrDef huber_attrs[] = {{"delta", ATTR_NUMBER, "1",
                                       "error at which the square turns into a line", ABOVE_ZERO,
                                       UNBOUNDED, NULL},
                                      ATTRS_END};

LOSS(huber) = {.record = {.name = "huber",
                          .doc = "Half the squared error up to delta, linear beyond (Huber 1964).",
                          .attrs = huber_attrs},
               .expr = "d = abs(a - b);"
                       "where(d <= delta, 0.5 * d * d, delta * d - 0.5 * delta * delta)"};
