/* Initializers: Keras's distributions. Scaled ones depend on a parameter's fans: how many inputs
 * feed one output and the other way round; a convolution's receptive field counts in both. */
#include <math.h>

#include "attributes.h"
#include "records/record.h"

/* What truncation at two standard deviations leaves of a unit normal's. */
static const double truncated_deviation = 0.87962566103423978;

typedef struct {
    double in, out;
} Fans;

static Fans fans_of(Shape shape)
{
    if (shape.rank < 2) {
        double size = shape.rank ? (double)shape.dim[0] : 1;
        return (Fans){size, size};
    }
    double field = 1;
    for (int i = 0; i < shape.rank - 2; i++)
        field *= (double)shape.dim[i];
    return (Fans){field * (double)shape.dim[shape.rank - 2],
                  field * (double)shape.dim[shape.rank - 1]};
}

static struct nc_init uniform_of(double variance)
{
    double limit = sqrt(3 * variance);
    return (struct nc_init){NC_INIT_UNIFORM, -limit, limit};
}

static struct nc_init normal_of(double variance)
{
    return (struct nc_init){NC_INIT_TRUNCATED_NORMAL, 0, sqrt(variance) / truncated_deviation};
}

#define SCALED(ident, distribution, variance)                                                      \
    static struct nc_init make_##ident(Shape shape, const AttrValue *args)                         \
    {                                                                                              \
        Fans fans = fans_of(shape);                                                                \
        (void)args;                                                                                \
        return distribution(variance);                                                             \
    }

SCALED(glorot_uniform, uniform_of, 2 / (fans.in + fans.out))
SCALED(glorot_normal, normal_of, 2 / (fans.in + fans.out))
SCALED(he_uniform, uniform_of, 2 / fans.in)
SCALED(he_normal, normal_of, 2 / fans.in)
SCALED(lecun_uniform, uniform_of, 1 / fans.in)
SCALED(lecun_normal, normal_of, 1 / fans.in)

#define DRAWN(ident, kind, a, b)                                                                   \
    static struct nc_init make_##ident(Shape shape, const AttrValue *args)                         \
    {                                                                                              \
        (void)shape, (void)args;                                                                   \
        return (struct nc_init){kind, a, b};                                                       \
    }

DRAWN(zeros, NC_INIT_CONSTANT, 0, 0)
DRAWN(ones, NC_INIT_CONSTANT, 1, 0)
DRAWN(constant, NC_INIT_CONSTANT, args[0].f, 0)
DRAWN(random_uniform, NC_INIT_UNIFORM, args[0].f, args[1].f)
DRAWN(random_normal, NC_INIT_NORMAL, args[0].f, args[1].f)
DRAWN(truncated_normal, NC_INIT_TRUNCATED_NORMAL, args[0].f, args[1].f)
DRAWN(orthogonal, NC_INIT_ORTHOGONAL, 0, args[0].f)

#define RECORD(ident, text) .record = {.name = #ident, .doc = (text)}, .make = make_##ident
#define RECORD_WITH(ident, text, list)                                                             \
    .record = {.name = #ident, .doc = (text), .attrs = (list)}, .make = make_##ident

static const AttrDef constant_attrs[] = {{"value", ATTR_NUMBER, "0", "the value", 0, 0, NULL},
                                         ATTRS_END};
static const AttrDef uniform_attrs[] = {
    {"minval", ATTR_NUMBER, "-0.05", "lower end of the range", 0, 0, NULL},
    {"maxval", ATTR_NUMBER, "0.05", "upper end of the range", 0, 0, NULL},
    ATTRS_END};
static const AttrDef normal_attrs[] = {
    {"mean", ATTR_NUMBER, "0", "mean", 0, 0, NULL},
    {"stddev", ATTR_NUMBER, "0.05", "standard deviation", 0, UNBOUNDED, NULL},
    ATTRS_END};
static const AttrDef orthogonal_attrs[] = {
    {"gain", ATTR_NUMBER, "1", "factor of the matrix", 0, 0, NULL}, ATTRS_END};

INITIALIZER(zeros) = {RECORD(zeros, "Zero everywhere.")};
INITIALIZER(ones) = {RECORD(ones, "One everywhere.")};
INITIALIZER(constant) = {RECORD_WITH(constant, "One value everywhere.", constant_attrs)};
INITIALIZER(random_uniform) = {
    RECORD_WITH(random_uniform, "Uniform between minval and maxval.", uniform_attrs)};
INITIALIZER(random_normal) = {
    RECORD_WITH(random_normal, "Normal with mean and stddev.", normal_attrs)};
INITIALIZER(truncated_normal) = {
    RECORD_WITH(truncated_normal,
                "Normal, drawn again beyond two standard deviations from the mean.", normal_attrs)};
INITIALIZER(glorot_uniform) = {
    RECORD(glorot_uniform, "Uniform with variance 2 / (fan in + fan out) (Glorot, Bengio 2010).")};
INITIALIZER(glorot_normal) = {
    RECORD(glorot_normal, "Truncated normal with variance 2 / (fan in + fan out).")};
INITIALIZER(he_uniform) = {
    RECORD(he_uniform, "Uniform with variance 2 / fan in (He et al. 2015).")};
INITIALIZER(he_normal) = {RECORD(he_normal, "Truncated normal with variance 2 / fan in.")};
INITIALIZER(lecun_uniform) = {RECORD(lecun_uniform, "Uniform with variance 1 / fan in.")};
INITIALIZER(lecun_normal) = {RECORD(lecun_normal, "Truncated normal with variance 1 / fan in.")};
INITIALIZER(orthogonal) = {RECORD_WITH(orthogonal,
                                       "A random orthogonal matrix times gain (Saxe et al. 2014).",
                                       orthogonal_attrs),
                           .least_rank = 2};
