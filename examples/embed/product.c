/* A product that learns on the fly: it sees one stroke at a time and is told what was meant. It knows
 * nothing at first; all of its memory is static. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gesture.h"

enum { POINTS = 16, KINDS = 4, LATEST = GESTURE_BATCH };
static const char *const names[KINDS] = {"swipe", "circle", "zigzag", "arc"};

static _Alignas(GESTURE_ALIGN) unsigned char weights[GESTURE_PARAM_BYTES];
static _Alignas(GESTURE_ALIGN) unsigned char state[GESTURE_STATE_BYTES];
static _Alignas(GESTURE_ALIGN) unsigned char arena[GESTURE_ARENA_BYTES];
static _Alignas(GESTURE_ALIGN) unsigned char train_arena[GESTURE_TRAIN_ARENA_BYTES];
static float strokes[LATEST][POINTS][2], kinds[LATEST]; /* the latest ones, with their answers */

static float noise(float width)
{
    return width * ((float)rand() / (float)RAND_MAX - 0.5f);
}

/* What the touch screen would say. */
static void draw(int kind, float stroke[POINTS][2])
{
    float slant = noise(0.8f), size = 1 + noise(0.5f);
    for (int i = 0; i < POINTS; i++) {
        float t = (float)i / (POINTS - 1), turn = kind == 1 ? 6.28f * t : 3.14f * t;
        float x = kind == 1 || kind == 3 ? cosf(turn) : 2 * t - 1;
        float y = kind == 0 ? 0 : kind == 2 ? (i % 4 < 2 ? 0.4f : -0.4f) : sinf(turn);
        stroke[i][0] = size * x + noise(0.2f);
        stroke[i][1] = size * (y + slant * x) + noise(0.2f);
    }
}

int main(void)
{
    struct gesture_hyper hyper = {.learning_rate = GESTURE_LEARNING_RATE};
    int right = 0;
    memcpy(weights, &gesture_weights, sizeof weights);
    gesture_train_init(state);
    for (int seen = 0; seen < 400; seen++) {
        int slot = seen % LATEST, kind = rand() % KINDS, guess = 0;
        float share[KINDS], sums[GESTURE_SUMS];
        draw(kind, strokes[slot]);
        gesture_predict(weights, strokes[slot][0], share, 1, arena, NULL);
        for (int k = 1; k < KINDS; k++)
            guess = share[k] > share[guess] ? k : guess;
        right += guess == kind;
        kinds[slot] = (float)kind; /* the user says what was meant */
        int n = seen < LATEST ? seen + 1 : LATEST;
        hyper.iteration++;
        gesture_train_step(weights, state, strokes[0][0], kinds, sums, &hyper, n, train_arena,
                           NULL);
        if (seen % 50 == 49) {
            printf("%3d strokes: %2d of the last 50 right, loss %.3f, the last: %s, taken for %s\n",
                   seen + 1, right, sums[0] / (float)n, names[kind], names[guess]);
            right = 0;
        }
    }
    return 0;
}
