/* Metrics: what training reports beside the loss. A prediction counts 1 where it is right. */
#include "attributes.h"
#include "records/record.h"

/* As Keras decides it, by the shapes alone. */
static const char *resolve_accuracy(Shape output, bool sparse)
{
    if (sparse)
        return "sparse_categorical_accuracy";
    bool single = output.dim[output.rank - 1] == 1;
    return single ? "binary_accuracy" : "categorical_accuracy";
}

METRIC(accuracy) = {.record = {.name = "accuracy",
                               .alias = "acc",
                               .doc = "The accuracy that fits: binary for one unit, sparse where "
                                      "targets are class numbers, else categorical."},
                    .any_target = true,
                    .resolve = resolve_accuracy};

static const AttrDef binary_attrs[] = {
    {"threshold", ATTR_NUMBER, "0.5", "a prediction above it is a yes", 0, 1, NULL}, ATTRS_END};

METRIC(binary_accuracy) = {.record = {.name = "binary_accuracy",
                                      .doc = "Share of elements whose yes or no is right.",
                                      .attrs = binary_attrs},
                           .expr = "(a > threshold) == b"};

METRIC(categorical_accuracy) = {
    .record = {.name = "categorical_accuracy",
               .doc = "Share of rows whose largest prediction is where the target's largest is."},
    .expr = "argmax(a) == argmax(b)"};

METRIC(sparse_categorical_accuracy) = {
    .record = {.name = "sparse_categorical_accuracy",
               .doc = "Share of rows whose largest prediction is the target's class."},
    .sparse = true,
    .expr = "argmax(a) == b"};

METRIC(mean_squared_error) = {.record = {.name = "mean_squared_error",
                                         .alias = "mse",
                                         .doc = "Mean of (prediction - target) squared."},
                              .expr = "d = a - b; d * d"};

METRIC(mean_absolute_error) = {.record = {.name = "mean_absolute_error",
                                          .alias = "mae",
                                          .doc = "Mean of |prediction - target|."},
                               .expr = "abs(a - b)"};
