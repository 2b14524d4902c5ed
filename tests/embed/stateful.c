/* A product that embeds a stateful network twice: `half` takes half as many steps a call as `whole`.
 * The common subset of C99 and C++11.
 *
 *   stateful X.npy Y.npy TOLERANCE     Y: what `netcc predict` of half makes of X
 */
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "half.h"
#include "whole.h"

enum {
    N = HALF_BATCH,
    STEPS = 4,
    FEATURES = 3,
    IN = STEPS * FEATURES,
    OUT = 2,
    ROWS = 100,
    CALLS = (ROWS + N - 1) / N,
    THREADS = 8,
    CANARY = 64
};

static float x[ROWS * IN], y[ROWS * OUT];
static int failures;

static void expect(int good, const char *what)
{
    if (!good) {
        printf("  %s\n", what);
        failures++;
    }
}

static int close_to(const float *a, const float *b, size_t count, double tolerance)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)a[i] - (double)b[i]) <= tolerance * (1 + fabs((double)b[i]))))
            return 0;
    return 1;
}

/* Bits, but for the x87, which keeps more than a float as long as it has registers. */
static int same(const void *a, const void *b, size_t bytes)
{
#if defined(__i386__) && !defined(__SSE2_MATH__)
    return close_to((const float *)a, (const float *)b, bytes / sizeof(float), 1e-5);
#else
    return memcmp(a, b, bytes) == 0;
#endif
}

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

/* ---- one run of calls: a memory between canaries and an arena, `shift` bytes off alignment -------- */

struct stream {
    unsigned char *all, *memory, *arena_block, *arena;
};

static struct stream stream_new(size_t shift)
{
    struct stream s;
    size_t arena = WHOLE_ARENA_BYTES > HALF_ARENA_BYTES ? WHOLE_ARENA_BYTES : HALF_ARENA_BYTES;
    if (arena < HALF_TRAIN_ARENA_BYTES)
        arena = HALF_TRAIN_ARENA_BYTES;
    s.all = (unsigned char *)malloc(HALF_MEMORY_BYTES + 2 * CANARY + HALF_ALIGN + shift);
    s.memory = s.all + CANARY;
    s.memory += (HALF_ALIGN - (uintptr_t)s.memory % HALF_ALIGN) % HALF_ALIGN + shift;
    memset(s.memory - CANARY, 0xa5, HALF_MEMORY_BYTES + 2 * CANARY);
    s.arena_block = (unsigned char *)malloc(arena + HALF_ALIGN + shift);
    s.arena = s.arena_block;
    s.arena += (HALF_ALIGN - (uintptr_t)s.arena % HALF_ALIGN) % HALF_ALIGN + shift;
    memset(s.arena, 0x7f, arena);
    expect(half_reset(s.memory) == 0, "reset returns 0");
    return s;
}

static void stream_free(struct stream s)
{
    int whole = 1;
    for (int i = 0; i < CANARY; i++)
        whole &= s.memory[i - CANARY] == 0xa5 && s.memory[HALF_MEMORY_BYTES + i] == 0xa5;
    expect(whole, "nothing is written beside the memory");
    free(s.all);
    free(s.arena_block);
}

/* Rows `at`, at + 1 ... of the samples, n of them. */
static void advance(struct stream s, int at, int n, float *out)
{
    expect(half_predict(&half_weights, s.memory, x + at * IN, out, n, s.arena, NULL) == 0,
           "predict returns 0");
}

/* All samples, batch after batch; the last is smaller. */
static void advance_all(struct stream s, float *out)
{
    for (int at = 0; at < ROWS; at += N)
        advance(s, at, ROWS - at < N ? ROWS - at : N, out + at * OUT);
}

/* ---- predict ---------------------------------------------------------------------------------------- */

static void test_run(double tolerance)
{
    float out[ROWS * OUT];
    for (size_t shift = 0; shift < HALF_ALIGN; shift += 5 * sizeof(float)) {
        struct stream s = stream_new(shift);
        advance_all(s, out);
        expect(tolerance > 0 ? close_to(out, y, ROWS * OUT, tolerance) : same(out, y, sizeof out),
               "a run of calls equals `netcc predict`");
        stream_free(s);
    }
}

/* Rows of both halves one behind the other are rows of the whole. */
static void join(const float *first, const float *second, int n, float *both)
{
    for (int row = 0; row < n; row++) {
        memcpy(both + row * 2 * IN, first + row * IN, IN * sizeof *both);
        memcpy(both + (row * 2 + 1) * IN, second + row * IN, IN * sizeof *both);
    }
}

static void test_halves(void)
{
    float both[N * 2 * IN], twice[N * OUT], once[N * OUT];
    expect(sizeof half_weights == sizeof whole_weights &&
               memcmp(&half_weights, &whole_weights, sizeof half_weights) == 0 &&
               (int)HALF_MEMORY_BYTES == (int)WHOLE_MEMORY_BYTES,
           "both have the same weights and the same memory");
    for (int n = 1; n <= N; n++) {
        struct stream a = stream_new(0), b = stream_new(0);
        for (int call = 0; call < 3; call++) { /* the second and the third go on */
            const float *first = x + call * 2 * N * IN, *second = first + N * IN;
            join(first, second, n, both);
            advance(a, (call * 2) * N, n, twice);
            advance(a, (call * 2 + 1) * N, n, twice);
            expect(whole_predict(&whole_weights, b.memory, both, once, n, b.arena, NULL) == 0,
                   "predict returns 0");
            expect(same(twice, once, (size_t)n * OUT * sizeof *once),
                   "two calls of half the steps equal one call of all, bit for bit");
        }
        expect(same(a.memory, b.memory, HALF_MEMORY_BYTES), "and leave the same memory");
        stream_free(a);
        stream_free(b);
    }
}

static void test_reset(void)
{
    struct stream s = stream_new(0);
    float first[N * OUT], second[N * OUT], again[N * OUT];
    advance(s, 0, N, first);
    advance(s, 0, N, second);
    expect(memcmp(first, second, sizeof first) != 0, "the second call goes on");
    expect(half_reset(s.memory) == 0, "reset returns 0");
    advance(s, 0, N, again);
    expect(same(first, again, sizeof first), "after reset all begins anew");
    stream_free(s);
}

/* A call with n rows moves these alone on. */
static void test_fewer_rows(void)
{
    enum { FEW = 2 };
    struct stream all = stream_new(0), few = stream_new(0);
    float out[N * OUT], behind[N * OUT], ahead[N * OUT];
    advance(all, 0, N, out);
    memcpy(few.memory, all.memory, HALF_MEMORY_BYTES); /* to go on twice from one place */
    advance(few, N, FEW, out);
    advance(all, 2 * N, N, behind);
    advance(few, 2 * N, N, ahead);
    for (int row = 0; row < FEW; row++)
        expect(memcmp(ahead + row * OUT, behind + row * OUT, OUT * sizeof *out) != 0,
               "the rows of a smaller call go on");
    expect(same(ahead + FEW * OUT, behind + FEW * OUT, (N - FEW) * OUT * sizeof *out),
           "the rows behind them keep what they remember");
    stream_free(all);
    stream_free(few);
}

/* Two runs of calls by turns, in one arena, on other samples. */
static void test_instances(void)
{
    struct stream a = stream_new(0), b = stream_new(0);
    float alone[ROWS * OUT], here[N * OUT], there[N * OUT];
    struct stream c = stream_new(0);
    advance_all(c, alone);
    for (int call = 0; call + 1 < CALLS; call++) {
        struct stream other = b;
        other.arena = a.arena;
        advance(a, call * N, N, here);
        advance(other, (CALLS - 2 - call) * N, N, there);
        expect(same(here, alone + call * N * OUT, sizeof here),
               "two runs do not disturb each other");
    }
    stream_free(a);
    stream_free(b);
    stream_free(c);
}

struct client {
    pthread_t thread;
    struct stream stream;
    float out[ROWS * OUT];
};

static void *serve(void *argument)
{
    struct client *c = (struct client *)argument;
    for (int round = 0; round < 3; round++) {
        half_reset(c->stream.memory);
        advance_all(c->stream, c->out);
    }
    return NULL;
}

static void test_threads(void)
{
    static struct client clients[THREADS];
    struct stream s = stream_new(0);
    float alone[ROWS * OUT];
    advance_all(s, alone);
    for (int i = 0; i < THREADS; i++) {
        clients[i].stream = stream_new(0);
        if (pthread_create(&clients[i].thread, NULL, serve, &clients[i]) != 0)
            abort();
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(clients[i].thread, NULL);
        expect(same(clients[i].out, alone, sizeof alone), "the same bits in eight threads");
        stream_free(clients[i].stream);
    }
    stream_free(s);
}

static void test_refusals(void)
{
    struct stream s = stream_new(0);
    float out[N * OUT] = {7};
    unsigned char before[HALF_MEMORY_BYTES];
    advance(s, 0, N, out);
    memcpy(before, s.memory, sizeof before);
    out[0] = 7;
    expect(half_reset(NULL) == -1, "reset refuses null");
    expect(half_predict(&half_weights, NULL, x, out, 1, s.arena, NULL) == -1,
           "a null memory is refused");
    expect(half_predict(&half_weights, s.memory, x, out, 0, s.arena, NULL) == -1 &&
               half_predict(&half_weights, s.memory, x, out, N + 1, s.arena, NULL) == -1 &&
               half_predict(&half_weights, s.memory, NULL, out, 1, s.arena, NULL) == -1 &&
               half_predict(&half_weights, s.memory, x, out, 1, NULL, NULL) == -1,
           "a wrong n and other null pointers are");
    expect(out[0] == 7 && memcmp(before, s.memory, sizeof before) == 0,
           "a refused call changes nothing");
    stream_free(s);
}

/* ---- training --------------------------------------------------------------------------------------- */

static struct half_hyper hyper_of(int step)
{
    struct half_hyper h;
    h.learning_rate = HALF_LEARNING_RATE;
    h.iteration = (float)(step + 1);
    h.seed = 5;
    h.epoch = 1;
    h.first_sample = (unsigned long long)step * N;
    return h;
}

/* Epochs over all samples, each begun anew; `trials` evaluates between the steps. The sum of the last
 * epoch's losses. */
static float learn(struct half_weights *w, int epochs, int trials)
{
    struct stream s = stream_new(0), trial = stream_new(0);
    static unsigned char state[HALF_STATE_BYTES];
    float t[N * OUT], sums[HALF_SUMS], total = 0;
    half_train_init(state);
    for (int epoch = 0; epoch < epochs; epoch++) {
        half_reset(s.memory);
        total = 0;
        for (int at = 0, step = 0; at < ROWS; at += N, step++) {
            struct half_hyper h = hyper_of(step);
            int n = ROWS - at < N ? ROWS - at : N;
            for (int i = 0; i < n * OUT; i++)
                t[i] = x[(at + i / OUT) * IN + i % OUT];
            expect(half_train_step(w, s.memory, state, x + at * IN, t, sums, &h, n, s.arena,
                                   NULL) == 0,
                   "train_step returns 0");
            total += sums[0];
            if (trials)
                expect(half_eval_step(w, trial.memory, x, t, sums, n, trial.arena, NULL) == 0,
                       "eval_step returns 0");
        }
    }
    stream_free(s);
    stream_free(trial);
    return total;
}

static void test_training(void)
{
    static struct half_weights one, other;
    one = other = half_weights;
    float first = learn(&one, 1, 0);
    one = half_weights;
    float last = learn(&one, 20, 0);
    expect(last < 0.9f * first, "the loss falls");
    expect(learn(&other, 20, 1) == last && same(&one, &other, sizeof one),
           "evaluation with a memory of its own leaves training alone");
}

static void test_training_refusals(void)
{
    static struct half_weights w;
    struct stream s = stream_new(0);
    static unsigned char state[HALF_STATE_BYTES];
    struct half_hyper h = hyper_of(0);
    float t[N * OUT] = {0}, sums[HALF_SUMS];
    w = half_weights;
    half_train_init(state);
    expect(half_train_step(&w, NULL, state, x, t, sums, &h, N, s.arena, NULL) == -1 &&
               half_eval_step(&w, NULL, x, t, sums, N, s.arena, NULL) == -1,
           "steps refuse a null memory");
    stream_free(s);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    read_npy(argv[1], x, ROWS * IN);
    read_npy(argv[2], y, ROWS * OUT);
    if (failures)
        return 1;
    test_run(atof(argv[3]));
    test_halves();
    test_reset();
    test_fewer_rows();
    test_instances();
    test_threads();
    test_refusals();
    test_training();
    test_training_refusals();
    return failures != 0;
}
