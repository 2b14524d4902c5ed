/* Optimizers: Keras 3's formulas. What depends on hyper-parameters alone is computed once a step.
 * The learning rate comes first, so that `adam: 0.001` sets it. */
#include <string.h>

#include "attributes.h"
#include "records/record.h"

#define LEARNING_RATE(value)                                                                       \
    {                                                                                              \
        "learning_rate", ATTR_NUMBER, value, "step size", 0, UNBOUNDED, NULL                       \
    }
#define DECAY_RATE(key, value, text)                                                               \
    {                                                                                              \
        key, ATTR_NUMBER, value, text, 0, BELOW_ONE, NULL                                          \
    }
#define EPSILON                                                                                    \
    {                                                                                              \
        "epsilon", ATTR_NUMBER, "1e-7", "keeps the divisor from 0", 0, UNBOUNDED, NULL             \
    }

static const AttrDef common_attrs[] = {
    {"weight_decay", ATTR_NUMBER, "null",
     "before each update a parameter loses this share of itself times the learning rate", 0,
     UNBOUNDED, NULL},
    {"clipnorm", ATTR_NUMBER, "null", "each gradient is scaled down to this norm", ABOVE_ZERO,
     UNBOUNDED, NULL},
    {"clipvalue", ATTR_NUMBER, "null", "each gradient is cut to this size, element by element",
     ABOVE_ZERO, UNBOUNDED, NULL},
    {"global_clipnorm", ATTR_NUMBER, "null", "all gradients together are scaled down to this norm",
     ABOVE_ZERO, UNBOUNDED, NULL},
    ATTRS_END};

AttrDef *optimizer_attrs(Arena *arena, const Optimizer *optimizer)
{
    const AttrDef *own = optimizer->record.attrs;
    AttrDef *list = ARENA_ARRAY(arena, AttrDef, attr_count(own) + attr_count(common_attrs) + 1);
    int count = 0;
    for (; own[count].type != ATTR_END; count++)
        list[count] = own[count];
    for (const AttrDef *def = common_attrs; def->type != ATTR_END; def++) {
        bool redefined = false;
        for (int i = 0; own[i].type != ATTR_END; i++)
            redefined |= !strcmp(own[i].key, def->key);
        if (!redefined)
            list[count++] = *def;
    }
    return list; /* zeroed memory: ATTR_END follows */
}

static const AttrDef sgd_attrs[] = {
    LEARNING_RATE("0.01"),
    {"momentum", ATTR_NUMBER, "0", "share of the last step that goes into the next", 0, 1, NULL},
    {"nesterov", ATTR_BOOL, "false", "look ahead along the momentum", 0, 0, NULL},
    ATTRS_END};

OPTIMIZER(sgd) = {.record = {.name = "sgd",
                             .doc = "Gradient descent, with momentum if asked for.",
                             .attrs = sgd_attrs},
                  .slots = {{.name = "m", .unless_zero = "momentum"}},
                  .expr = "d = g * learning_rate - m * momentum;"
                          "m' = -d;"
                          "p' = p - where(nesterov, g * learning_rate + d * momentum, d)"};

#define ADAM_EXPR                                                                                  \
    "m' = m + (g - m) * (1 - beta_1);"                                                             \
    "v' = v + (g * g - v) * (1 - beta_2);"                                                         \
    "v_hat' = max(v_hat, v');"                                                                     \
    "step = learning_rate * sqrt(1 - pow(beta_2, t)) / (1 - pow(beta_1, t));"                      \
    "p' = p - m' * step / (sqrt(where(amsgrad, v_hat', v')) + epsilon)"
#define ADAM_ATTRS                                                                                 \
    LEARNING_RATE("0.001"), DECAY_RATE("beta_1", "0.9", "decay of the mean gradient"),             \
        DECAY_RATE("beta_2", "0.999", "decay of the mean squared gradient"), EPSILON,              \
    {                                                                                              \
        "amsgrad", ATTR_BOOL, "false", "divide by the largest mean square so far", 0, 0, NULL      \
    }
#define ADAM_SLOTS                                                                                 \
    {                                                                                              \
        {.name = "m"}, {.name = "v"},                                                              \
        {                                                                                          \
            .name = "v_hat", .unless_zero = "amsgrad"                                              \
        }                                                                                          \
    }

static const AttrDef adam_attrs[] = {ADAM_ATTRS, ATTRS_END};
OPTIMIZER(adam) = {
    .record = {.name = "adam", .doc = "Adam (Kingma and Ba 2015).", .attrs = adam_attrs},
    .slots = ADAM_SLOTS,
    .expr = ADAM_EXPR};

static const AttrDef adamw_attrs[] = {
    ADAM_ATTRS,
    {"weight_decay", ATTR_NUMBER, "0.004",
     "before each update a parameter loses this share of itself times the learning rate", 0,
     UNBOUNDED, NULL},
    ATTRS_END};
OPTIMIZER(adamw) = {.record = {.name = "adamw",
                               .doc = "Adam with decoupled weight decay (Loshchilov, Hutter 2019).",
                               .attrs = adamw_attrs},
                    .slots = ADAM_SLOTS,
                    .expr = ADAM_EXPR};

static const AttrDef rmsprop_attrs[] = {
    LEARNING_RATE("0.001"),
    DECAY_RATE("rho", "0.9", "decay of the mean squared gradient"),
    {"momentum", ATTR_NUMBER, "0", "share of the last step that goes into the next", 0, 1, NULL},
    EPSILON,
    {"centered", ATTR_BOOL, "false", "divide by the gradient's variance, not its mean square", 0, 0,
     NULL},
    ATTRS_END};
OPTIMIZER(rmsprop) = {
    .record = {.name = "rmsprop",
               .doc = "Gradients divided by the root of their mean square (Tieleman, Hinton 2012).",
               .attrs = rmsprop_attrs},
    .slots = {{.name = "v"},
              {.name = "m", .unless_zero = "momentum"},
              {.name = "mean", .unless_zero = "centered"}},
    .expr = "v' = v * rho + g * g * (1 - rho);"
            "mean' = mean * rho + g * (1 - rho);"
            "m' = m * momentum +"
            " g * learning_rate / sqrt(v' - where(centered, mean' * mean', 0) + epsilon);"
            "p' = p - m'"};

static const AttrDef adagrad_attrs[] = {LEARNING_RATE("0.001"),
                                        {"initial_accumulator_value", ATTR_NUMBER, "0.1",
                                         "first value of the sum of squares", 0, UNBOUNDED, NULL},
                                        EPSILON,
                                        ATTRS_END};
OPTIMIZER(adagrad) = {.record = {.name = "adagrad",
                                 .doc = "Gradients divided by the root of the sum of all their "
                                        "squares so far (Duchi et al. 2011).",
                                 .attrs = adagrad_attrs},
                      .slots = {{.name = "accumulator", .init = "initial_accumulator_value"}},
                      .expr = "accumulator' = accumulator + g * g;"
                              "p' = p - g * learning_rate / sqrt(accumulator' + epsilon)"};
