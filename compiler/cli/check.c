/* netcc check: every derivative against central differences, in double.
 *
 * Both sides come from the same entry, `grad`, which also gives the loss. Weights are moved off their
 * initial values, where gradients may vanish; inputs are random, targets such as the loss asks for.
 * Where the loss has a kink within a step (relu), another step width decides. */
#include "cli/results.h"
#include "fit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "progress.h"
#include "random.h"
#include "weights.h"

static const Option options[] = {OPTION_SET, OPTION_SEED, OPTION_JSON, OPTION_END};

enum { ROWS = 3, MOST_ELEMENTS = 24 };
static const double tolerance = 1e-5;
static const double steps[] = {1e-5, 1e-6, 1e-4}; /* relative to the value */
/* Differences of a loss of 1 are known to some 1e-11, so smaller derivatives are not told apart from
 * 0 better than this. */
static const double smallest = 1e-5;

typedef struct {
    Job *job;
    Samples samples;
    Results results;
    double loss;
    uint32_t draws; /* so far: the stream of random numbers */
    int faults;
} Check;

/* ---- random numbers ---------------------------------------------------------------------------- */

static struct nc_stream next_stream(Check *c)
{
    return (struct nc_stream){job_seed(c->job), NC_USE_CHECK, c->draws++};
}

static float *uniform(Check *c, int64_t n)
{
    const struct nc_stream stream = next_stream(c);
    float *values = ARENA_ARRAY(c->job->arena, float, n);
    nc_random_uniform(&stream, 0, 0, n, values);
    return values;
}

static float *normal(Check *c, int64_t n)
{
    const struct nc_stream stream = next_stream(c);
    float *values = ARENA_ARRAY(c->job->arena, float, n);
    nc_random_normal(&stream, 0, 0, n, values);
    return values;
}

/* ---- the point at which derivatives are checked ------------------------------------------------- */

/* Samples in memory, [ROWS, shape...], double */
static double *new_array(Check *c, const struct nc_port *port, struct nc_array *array)
{
    double *data = ARENA_ARRAY(c->job->arena, double, ROWS * port->elements);
    *array = (struct nc_array){.dtype = NC_F64, .rank = 1, .row_elements = port->elements};
    array->shape[0] = ROWS;
    array->data = (unsigned char *)data;
    return data;
}

static int find_output(const struct nc_model *model, const char *name)
{
    for (int i = 1; i < model->grad.outputs_count; i++) {
        if (!strcmp(model->grad.outputs[i].name, name))
            return i;
    }
    return -1;
}

/* An input without a derivative holds indices; 0 and 1 are in every range. */
static void fill_input(Check *c, int i)
{
    const struct nc_port *port = &c->job->nc->inputs[i];
    double *data = new_array(c, port, &c->samples.inputs[i]);
    int64_t n = ROWS * port->elements;
    bool index = find_output(c->job->nc, port->name) < 0;
    const float *z = index ? uniform(c, n) : normal(c, n);
    for (int64_t k = 0; k < n; k++)
        data[k] = index ? floor(2 * (double)z[k]) : (double)z[k];
}

/* Class numbers, or anything between 0 and 1. */
static void fill_target(Check *c, int i)
{
    const struct nc_port *port = &c->job->nc->targets[i];
    double *data = new_array(c, port, &c->samples.targets[i]);
    int64_t n = ROWS * port->elements, classes = nc_sparse_classes(c->job->nc, i);
    const float *u = uniform(c, n);
    for (int64_t k = 0; k < n; k++)
        data[k] = classes ? floor((double)classes * (double)u[k]) : 0.1 + 0.8 * (double)u[k];
}

static void fill_samples(Check *c)
{
    struct nc_model *nc = c->job->nc;
    Samples *s = &c->samples;
    *s = (Samples){.inputs_count = nc->inputs_count, .targets_count = nc->targets_count};
    s->inputs = ARENA_ARRAY(c->job->arena, struct nc_array, s->inputs_count + 1);
    s->targets = ARENA_ARRAY(c->job->arena, struct nc_array, s->targets_count + 1);
    s->samples = (struct nc_samples){s->inputs, s->targets, ROWS};
    for (int i = 0; i < s->inputs_count; i++)
        fill_input(c, i);
    for (int i = 0; i < s->targets_count; i++)
        fill_target(c, i);
}

static double *weight_at(Check *c, const struct nc_parameter *p, int64_t element)
{
    return (double *)c->job->session.weights + nc_packed_index(p, element);
}

static void move_weights(Check *c)
{
    const struct nc_model *nc = c->job->nc;
    for (int i = 0; i < nc->parameters_count; i++) {
        const struct nc_parameter *p = &nc->parameters[i];
        if (p->role != NC_ROLE_WEIGHT)
            continue;
        const float *z = normal(c, p->elements);
        for (int64_t e = 0; e < p->elements; e++)
            *weight_at(c, p, e) += 0.1 * (double)z[e];
    }
}

/* ---- comparison --------------------------------------------------------------------------------- */

static double loss_now(Check *c)
{
    struct nc_error err;
    if (nc_gradient(&c->job->session, &c->samples.samples, c->results.pointers, &err) != 0)
        bug("random samples cannot be read");
    return *(const double *)c->results.pointers[0];
}

/* The derivative's relative error at one value, of the best step. */
static double error_at(Check *c, double *value, double analytic)
{
    double kept = *value, best = HUGE_VAL, size = 1 + fabs(c->loss);
    for (size_t i = 0; i < sizeof steps / sizeof *steps && best > tolerance; i++) {
        double h = steps[i] * (1 + fabs(kept)), low = kept - h, high = kept + h, difference;
        *value = high;
        difference = loss_now(c);
        *value = low;
        difference = (difference - loss_now(c)) / (high - low);
        double scale = fmax(fmax(fabs(analytic), fabs(difference)), smallest * size);
        double error = fabs(analytic - difference) / scale;
        best = isnan(error) ? best : fmin(best, error);
    }
    *value = kept;
    return best;
}

static void report(Check *c, const char *name, int64_t checked, double worst)
{
    bool fault = !(worst <= tolerance);
    c->faults += fault;
    if (c->job->args->json) {
        printf("{\"event\":\"check\",\"name\":");
        nc_json_text(stdout, name);
        printf(",\"elements\":%lld,\"error\":", (long long)checked);
        nc_json_number(stdout, worst);
        printf(",\"passed\":%s}\n", fault ? "false" : "true");
    } else {
        printf("%-40s %8lld %12.2e%s\n", name, (long long)checked, worst, fault ? "  WRONG" : "");
    }
}

/* Checks up to MOST_ELEMENTS elements of a tensor; `parameter` NULL: of input data. */
static void check_tensor(Check *c, const char *name, int64_t elements,
                         const struct nc_parameter *parameter, double *data)
{
    int output = find_output(c->job->nc, name);
    int64_t count = elements < MOST_ELEMENTS ? elements : MOST_ELEMENTS;
    double worst = 0, analytic[MOST_ELEMENTS];
    int64_t chosen[MOST_ELEMENTS];
    if (output < 0)
        return;
    const float *u = uniform(c, count);
    c->loss = loss_now(c);
    for (int64_t i = 0; i < count; i++) {
        chosen[i] = count == elements ? i : (int64_t)((double)u[i] * (double)elements);
        analytic[i] = ((const double *)c->results.pointers[output])[chosen[i]];
    }
    for (int64_t i = 0; i < count; i++) {
        double *value = parameter ? weight_at(c, parameter, chosen[i]) : data + chosen[i];
        worst = fmax(worst, error_at(c, value, analytic[i]));
    }
    report(c, name, count, worst);
}

static void check_all(Check *c)
{
    const struct nc_model *nc = c->job->nc;
    if (!c->job->args->json)
        printf("%-40s %8s %12s\n", "derivative by", "elements", "error");
    for (int i = 0; i < nc->parameters_count; i++) {
        const struct nc_parameter *p = &nc->parameters[i];
        if (p->role == NC_ROLE_WEIGHT)
            check_tensor(c, p->name, p->elements, p, NULL);
    }
    for (int i = 0; i < nc->inputs_count; i++)
        check_tensor(c, nc->inputs[i].name, ROWS * nc->inputs[i].elements, NULL,
                     (double *)(uintptr_t)c->samples.inputs[i].data);
}

static bool check(Check *c)
{
    Job *job = c->job;
    if (!job_compile(job, ROWS, NC_DIFFERENTIATES) || !job_needs_training(job) ||
        !job_start(job, NC_DIFFERENTIATES) || !job_init_weights(job, NULL) ||
        !results_new(job, &job->nc->grad, ROWS, &c->results))
        return false;
    fill_samples(c);
    move_weights(c);
    check_all(c);
    if (!c->faults)
        return true;
    return diag_error(job->diag, (Loc){0}, "%d derivatives are off by more than %g", c->faults,
                      tolerance);
}

static int run(const Args *args)
{
    Job job;
    Check c = {.job = &job};
    job_prepare(&job, args);
    job.options.check = true;
    return job_end(&job, job_read(&job) && check(&c));
}

const Command command_check = {"check", "SPEC",
                               "Finite differences against the generated gradients.", options, run};
