/* bench and info of an executable of `netcc build`. */
#include "standalone/run.h"

#include "bench.h"
#include "machine.h"
#include "weights.h"

#include <stdio.h>

#define BENCH_SECONDS 2.0

int nc_run_bench(struct nc_run *r)
{
    int training = r->options.train || (!r->options.predict && r->model.train.run);
    const struct nc_work *work = training ? &r->s->train_work : &r->s->predict_work;
    struct nc_machine machine;
    struct nc_bench b;
    struct nc_error err;
    if ((training && nc_run_needs_training(r) != 0) ||
        nc_run_start(r, training ? NC_TRAINS : NC_PREDICTS) != 0)
        return -1;
    int threads = nc_pool_threads(r->pool);
    nc_bench_fill(&r->session);
    if (nc_bench_run(&r->session, training, r->model.batch, BENCH_SECONDS, r->s->learning_rate, &b,
                     &err) != 0)
        return nc_run_fault(r, &err);
    if (nc_machine_measure(&machine, r->session.env, threads) != 0)
        return nc_run_complain(r, "out of memory");
    double calls = (double)b.calls / b.seconds, rate = calls * (double)b.n;
    double flops = rate * work->row + calls * work->fixed;
    if (r->options.json)
        printf("{\"event\":\"bench\",\"name\":\"%s\",\"mode\":\"%s\",\"batch\":%ld,\"threads\":%d,"
               "\"isa\":\"%s\",\"samples_per_second\":%.9g,\"latency_ms\":%.9g,\"gflops\":%.9g,"
               "\"peak_share\":%.9g,\"peak_gflops\":%.9g,\"prepare_ms\":%.9g}\n",
               r->model.name, training ? "train" : "predict", b.n, threads, r->code->isa, rate,
               b.latency * 1e3, flops * 1e-9, flops / machine.flops, machine.flops * 1e-9,
               b.prepare * 1e3);
    else
        printf("%s, %s %ld rows a call on %d thread%s, %s\n"
               "%.0f samples/s, %.4g ms a call, %.1f GFLOP/s: %.0f %% of this machine's %.1f\n",
               r->model.name, training ? "training," : "predicting,", b.n, threads,
               threads > 1 ? "s" : "", r->code->isa, rate, b.latency * 1e3, flops * 1e-9,
               100 * flops / machine.flops, machine.flops * 1e-9);
    return 0;
}

static void print_ports(const char *role, const struct nc_port *ports, int count)
{
    char shape[NC_SHAPE_TEXT];
    for (int i = 0; i < count; i++)
        printf("%-12s %s %s\n", role, ports[i].name,
               nc_shape_text(ports[i].rank, ports[i].shape, shape));
}

static void json_ports(const char *key, const struct nc_port *ports, int count)
{
    char shape[NC_SHAPE_TEXT];
    printf(",\"%s\":[", key);
    for (int i = 0; i < count; i++)
        printf("%s{\"name\":\"%s\",\"shape\":%s}", i ? "," : "", ports[i].name,
               nc_shape_text(ports[i].rank, ports[i].shape, shape));
    putchar(']');
}

static long long count_parameters(const struct nc_model *model)
{
    long long count = 0;
    for (int i = 0; i < model->parameters_count; i++)
        count += model->parameters[i].role == NC_ROLE_SLOT ? 0 : model->parameters[i].elements;
    return count;
}

int nc_run_info(struct nc_run *r)
{
    const struct nc_model *m = &r->model;
    const char *weights = r->s->weights ? "built in" : "none";
    if (r->options.json) {
        printf("{\"event\":\"info\",\"name\":\"%s\",\"isa\":\"%s\",\"batch\":%ld,\"parameters\":"
               "%lld,\"weights\":%s,\"trains\":%s",
               m->name, r->code->isa, m->batch, count_parameters(m),
               r->s->weights ? "true" : "false", m->train.run ? "true" : "false");
        json_ports("inputs", m->inputs, m->inputs_count);
        json_ports("outputs", m->predict.outputs, m->predict.outputs_count);
        puts("}");
        return 0;
    }
    printf("%-12s %s\n%-12s %s\n%-12s %ld\n", "name", m->name, "code", r->code->isa, "batch",
           m->batch);
    print_ports("input", m->inputs, m->inputs_count);
    print_ports("output", m->predict.outputs, m->predict.outputs_count);
    printf("%-12s %lld\n%-12s %s\n%-12s %s\n", "parameters", count_parameters(m), "weights",
           weights, "training", m->train.run ? "yes" : "no");
    return 0;
}
