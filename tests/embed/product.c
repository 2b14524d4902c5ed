/* A product that embeds one model: what it predicts, refuses and learns. Compiled once per model with
 *   -DM=small -DU=SMALL -DHEADER='"small.h"' -DIN=72 -DOUT=5 -DINTEGER_TARGETS=1
 * and with -DLINKED where the weights are linked in. The common subset of C99 and C++11.
 *
 *   product X.npy Y.npy WEIGHTS TOLERANCE     Y: what `netcc predict` makes of X
 */
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include HEADER

#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)
#define F(name) PASTE(M, name)
#define C(name) PASTE(U, name)

#ifdef QUICK /* on slow machines, such as emulated ones */
enum { STEPS = 30, ROUNDS = 1, STRIDE = 9 };
#else
enum { STEPS = 60, ROUNDS = 4, STRIDE = 1 };
#endif
enum { ROWS = 100, THREADS = 8, HELPERS = 3, CANARY = 64 };

static float x[ROWS * IN], y[ROWS * OUT];
static int failures;

static void expect(int good, const char *what)
{
    if (!good) {
        printf("  %s\n", what);
        failures++;
    }
}

/* ---- memory: a block between canaries, `shift` bytes off alignment ----------------------------- */

struct block {
    unsigned char *all, *bytes;
    size_t size;
};

static struct block block_new(size_t size, size_t shift)
{
    struct block b;
    b.all = (unsigned char *)malloc(size + 2 * CANARY + C(ALIGN) + shift);
    b.size = size;
    b.bytes = b.all + CANARY;
    b.bytes += (C(ALIGN) - (uintptr_t)b.bytes % C(ALIGN)) % C(ALIGN) + shift;
    memset(b.bytes - CANARY, 0xa5, size + 2 * CANARY);
    return b;
}

static void block_free(struct block b)
{
    int whole = 1;
    for (int i = 0; i < CANARY; i++)
        whole &= b.bytes[i - CANARY] == 0xa5 && b.bytes[b.size + (size_t)i] == 0xa5;
    expect(whole, "nothing is written beside a block");
    free(b.all);
}

/* ---- files -------------------------------------------------------------------------------------- */

static void read_npy(const char *path, float *values, size_t count)
{
    unsigned char head[10];
    FILE *file = fopen(path, "rb");
    int good = file && fread(head, 1, 10, file) == 10 &&
               fseek(file, head[8] + 256 * head[9], SEEK_CUR) == 0 &&
               fread(values, sizeof *values, count, file) == count && fgetc(file) == EOF;
    if (file)
        fclose(file);
    expect(good, path);
}

static const void *map_weights(const char *path)
{
    int file = open(path, O_RDONLY);
    void *map = mmap(NULL, C(PARAM_BYTES), PROT_READ, MAP_PRIVATE, file, 0);
    expect(file >= 0 && lseek(file, 0, SEEK_END) == C(PARAM_BYTES), "size of NAME.weights");
    if (file >= 0)
        close(file);
    return map == MAP_FAILED ? NULL : map;
}

/* ---- the caller's own threads ------------------------------------------------------------------- */

struct range {
    pthread_t thread;
    void (*task)(const void *job, long from, long to);
    const void *job;
    long from, to;
};

static void *run_range(void *argument)
{
    struct range *r = (struct range *)argument;
    r->task(r->job, r->from, r->to);
    return NULL;
}

/* Uneven ranges, one of them empty, the last one first. */
static void parallel(void *context, void (*task)(const void *job, long from, long to),
                     const void *job, long units)
{
    struct range r[HELPERS];
    long from = 0;
    ++*(long *)context;
    for (int i = 0; i < HELPERS; i++) {
        r[i].task = task;
        r[i].job = job;
        r[i].from = from;
        r[i].to = from = i == HELPERS - 1 ? units : from + (units - from) * i / HELPERS;
    }
    for (int i = HELPERS - 1; i >= 0; i--)
        if (pthread_create(&r[i].thread, NULL, run_range, &r[i]) != 0)
            abort();
    for (int i = 0; i < HELPERS; i++)
        pthread_join(r[i].thread, NULL);
}

/* ---- predict -------------------------------------------------------------------------------------- */

static int close_to(const float *a, const float *b, size_t count, double tolerance)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)a[i] - (double)b[i]) <= tolerance * (1 + fabs((double)b[i]))))
            return 0;
    return 1;
}

/* Bits, but for the x87, which keeps more than a float as long as it has registers. */
static int same(const float *a, const float *b, size_t count)
{
#if defined(__i386__) && !defined(__SSE2_MATH__)
    return close_to(a, b, count, 1e-5);
#else
    return memcmp(a, b, count * sizeof *a) == 0;
#endif
}

/* All rows in batches of n, in memory `shift` bytes off. */
static void predict_all(const void *weights, float *out, int n, size_t shift,
                        const struct F(env) * env)
{
    struct block arena = block_new(C(ARENA_BYTES), shift);
    struct block in = block_new((size_t)n * IN * sizeof *x, shift);
    struct block result = block_new((size_t)n * OUT * sizeof *y, shift);
    for (int row = 0; row < ROWS; row += n) {
        int count = ROWS - row < n ? ROWS - row : n;
        memcpy(in.bytes, x + row * IN, (size_t)count * IN * sizeof *x);
        expect(F(predict)(weights, (const float *)(void *)in.bytes, (float *)(void *)result.bytes,
                          count, arena.bytes, env) == 0,
               "predict returns 0");
        memcpy(out + row * OUT, result.bytes, (size_t)count * OUT * sizeof *y);
    }
    block_free(arena);
    block_free(in);
    block_free(result);
}

static void test_batches(const void *weights, const float *expected)
{
    float out[ROWS * OUT];
    for (int n = 1; n <= C(BATCH); n += STRIDE) {
        predict_all(weights, out, n, 0, NULL);
        expect(same(out, expected, ROWS * OUT), "the same bits for every n");
    }
}

static void test_refusals(const void *weights)
{
    static const int wrong[] = {0, -1, C(BATCH) + 1, -2147483647 - 1, 2147483647};
    struct block arena = block_new(C(ARENA_BYTES), 0);
    float out[C(BATCH) * OUT] = {7};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        expect(F(predict)(weights, x, out, wrong[i], arena.bytes, NULL) == -1,
               "a wrong n is refused");
    expect(F(predict)(NULL, x, out, 1, arena.bytes, NULL) == -1, "null weights are refused");
    expect(F(predict)(weights, NULL, out, 1, arena.bytes, NULL) == -1, "a null input is refused");
    expect(F(predict)(weights, x, NULL, 1, arena.bytes, NULL) == -1, "a null output is refused");
    expect(F(predict)(weights, x, out, 1, NULL, NULL) == -1, "a null arena is refused");
    expect(out[0] == 7, "a refused call writes nothing");
    block_free(arena);
}

static void test_env(const void *weights, const float *expected)
{
    long jobs = 0;
    struct F(env) env = {&jobs, parallel}, none = {NULL, NULL};
    float out[ROWS * OUT];
    predict_all(weights, out, C(BATCH), 0, &env);
    expect(same(out, expected, ROWS * OUT), "the same bits on the caller's threads");
    expect(!THREADED || jobs > 0, "the caller's threads are used");
    predict_all(weights, out, C(BATCH), 0, &none);
    expect(same(out, expected, ROWS * OUT), "an env without parallel() is serial");
}

static void test_unaligned(const void *weights, const float *expected)
{
    float out[ROWS * OUT];
    for (size_t shift = sizeof(float); shift < C(ALIGN); shift += 5 * sizeof(float)) {
        struct block own = block_new(C(PARAM_BYTES), shift);
        memcpy(own.bytes, weights, C(PARAM_BYTES));
        predict_all(own.bytes, out, C(BATCH), shift, NULL);
        expect(same(out, expected, ROWS * OUT), "the same bits in unaligned memory");
        block_free(own);
    }
}

struct client {
    pthread_t thread;
    const void *weights;
    float out[ROWS * OUT];
};

static void *serve(void *argument)
{
    struct client *c = (struct client *)argument;
    for (int round = 0; round < ROUNDS; round++)
        predict_all(c->weights, c->out, C(BATCH) - round, 0, NULL);
    return NULL;
}

static void test_threads(const void *weights, const float *expected)
{
    static struct client clients[THREADS];
    for (int i = 0; i < THREADS; i++) {
        clients[i].weights = weights;
        if (pthread_create(&clients[i].thread, NULL, serve, &clients[i]) != 0)
            abort();
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(clients[i].thread, NULL);
        expect(same(clients[i].out, expected, ROWS * OUT), "the same bits in eight threads");
    }
}

/* ---- training ------------------------------------------------------------------------------------- */

enum { T = INTEGER_TARGETS ? 1 : OUT };

static void make_targets(float *t)
{
    for (int row = 0; row < C(BATCH); row++)
        for (int i = 0; i < T; i++)
            t[row * T + i] = INTEGER_TARGETS ? (float)(row % OUT) : x[row * IN + i] - 0.5f;
}

static struct F(hyper) hyper_of(int step)
{
    struct F(hyper) h;
    h.learning_rate = C(LEARNING_RATE);
    h.iteration = (float)(step + 1);
    h.seed = 5;
    h.epoch = (unsigned)step;
    h.first_sample = 0;
    return h;
}

/* The mean loss before the first step and after the last, which eval_step tells. */
static void learn(struct block w, size_t shift, const struct F(env) * env, float loss[2])
{
    struct block state = block_new(C(STATE_BYTES), shift);
    struct block arena = block_new(C(TRAIN_ARENA_BYTES), shift);
    float t[C(BATCH) * T], sums[C(SUMS)];
    make_targets(t);
    expect(F(train_init)(state.bytes) == 0, "train_init returns 0");
    expect(F(eval_step)(w.bytes, x, t, sums, C(BATCH), arena.bytes, env) == 0,
           "eval_step returns 0");
    loss[0] = sums[0] / C(BATCH);
    for (int step = 0; step < STEPS; step++) {
        struct F(hyper) h = hyper_of(step);
        int n = step % 10 == 9 ? C(BATCH) - 3 : C(BATCH);
        expect(F(train_step)(w.bytes, state.bytes, x, t, sums, &h, n, arena.bytes, env) == 0,
               "train_step returns 0");
    }
    F(eval_step)(w.bytes, x, t, sums, C(BATCH), arena.bytes, env);
    loss[1] = sums[0] / C(BATCH);
    block_free(state);
    block_free(arena);
}

static void test_training(const void *weights)
{
    long jobs = 0;
    struct F(env) env = {&jobs, parallel};
    struct block serial = block_new(C(PARAM_BYTES), 0);
    struct block other = block_new(C(PARAM_BYTES), 4);
    float loss[2], again[2];
    memcpy(serial.bytes, weights, C(PARAM_BYTES));
    memcpy(other.bytes, weights, C(PARAM_BYTES));
    learn(serial, 0, NULL, loss);
    expect(loss[1] < 0.7f * loss[0], "the loss falls");
    learn(other, 4, &env, again);
    expect(same((float *)(void *)serial.bytes, (float *)(void *)other.bytes,
                C(PARAM_BYTES) / sizeof(float)) &&
               same(loss, again, 2),
           "training gives the same bits on the caller's threads, in unaligned memory");
    block_free(serial);
    block_free(other);
}

static void test_training_refusals(const void *weights)
{
    struct block w = block_new(C(PARAM_BYTES), 0), s = block_new(C(STATE_BYTES), 0);
    struct block a = block_new(C(TRAIN_ARENA_BYTES), 0);
    float t[C(BATCH) * T], sums[C(SUMS)];
    struct F(hyper) h = hyper_of(0);
    const int N = C(BATCH);
    make_targets(t);
    memcpy(w.bytes, weights, C(PARAM_BYTES));
    F(train_init)(s.bytes);
    expect(F(train_init)(NULL) == -1, "train_init refuses null");
    expect(F(train_step)(w.bytes, s.bytes, x, t, sums, &h, 0, a.bytes, NULL) == -1 &&
               F(train_step)(w.bytes, s.bytes, x, t, sums, &h, N + 1, a.bytes, NULL) == -1 &&
               F(eval_step)(w.bytes, x, t, sums, 0, a.bytes, NULL) == -1 &&
               F(eval_step)(w.bytes, x, t, sums, N + 1, a.bytes, NULL) == -1,
           "steps refuse a wrong n");
    expect(F(train_step)(NULL, s.bytes, x, t, sums, &h, N, a.bytes, NULL) == -1 &&
               F(train_step)(w.bytes, NULL, x, t, sums, &h, N, a.bytes, NULL) == -1 &&
               F(train_step)(w.bytes, s.bytes, NULL, t, sums, &h, N, a.bytes, NULL) == -1 &&
               F(train_step)(w.bytes, s.bytes, x, NULL, sums, &h, N, a.bytes, NULL) == -1 &&
               F(train_step)(w.bytes, s.bytes, x, t, NULL, &h, N, a.bytes, NULL) == -1 &&
               F(train_step)(w.bytes, s.bytes, x, t, sums, NULL, N, a.bytes, NULL) == -1 &&
               F(train_step)(w.bytes, s.bytes, x, t, sums, &h, N, NULL, NULL) == -1,
           "train_step refuses null pointers");
    expect(F(eval_step)(NULL, x, t, sums, N, a.bytes, NULL) == -1 &&
               F(eval_step)(w.bytes, NULL, t, sums, N, a.bytes, NULL) == -1 &&
               F(eval_step)(w.bytes, x, NULL, sums, N, a.bytes, NULL) == -1 &&
               F(eval_step)(w.bytes, x, t, NULL, N, a.bytes, NULL) == -1 &&
               F(eval_step)(w.bytes, x, t, sums, N, NULL, NULL) == -1,
           "eval_step refuses null pointers");
    expect(memcmp(w.bytes, weights, C(PARAM_BYTES)) == 0, "refused steps change no weights");
    block_free(w);
    block_free(s);
    block_free(a);
}

/* ---- all of it ------------------------------------------------------------------------------------ */

#ifdef __cplusplus
extern "C"
#endif
    int F(product)(const char *x_path, const char *y_path, const char *weights_path,
                   double tolerance);

int F(product)(const char *x_path, const char *y_path, const char *weights_path, double tolerance)
{
    static float out[ROWS * OUT], read[ROWS * OUT];
    const void *weights = map_weights(weights_path);
    struct block own = block_new(C(PARAM_BYTES), 0);
    read_npy(x_path, x, ROWS * IN);
    read_npy(y_path, y, ROWS * OUT);
    if (!weights || failures)
        return failures + 1;
    predict_all(weights, out, C(BATCH), 0, NULL);
    expect(tolerance > 0 ? close_to(out, y, ROWS * OUT, tolerance) : same(out, y, ROWS * OUT),
           "predict equals `netcc predict`");
    memcpy(own.bytes, weights, C(PARAM_BYTES));
    predict_all(own.bytes, read, C(BATCH), 0, NULL);
    expect(same(out, read, ROWS * OUT), "mapped weights and the caller's give the same bits");
#ifdef LINKED
    expect((uintptr_t)&F(weights) % C(ALIGN) == 0, "linked weights are aligned");
    expect(sizeof F(weights) == C(PARAM_BYTES), "size of the linked weights");
    predict_all(&F(weights), read, C(BATCH), 0, NULL);
    expect(same(out, read, ROWS * OUT), "linked weights give the same bits");
#endif
    test_batches(weights, out);
    test_refusals(weights);
    test_env(weights, out);
    test_unaligned(weights, out);
    test_threads(weights, out);
    test_training(weights);
    test_training_refusals(weights);
    block_free(own);
    munmap((void *)(uintptr_t)weights, C(PARAM_BYTES));
    return failures;
}

#ifndef NO_MAIN
int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    return F(product)(argv[1], argv[2], argv[3], atof(argv[4])) != 0;
}
#endif
