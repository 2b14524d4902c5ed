#include "spelling.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

enum { LONGEST_WORD = 64 };

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

static int same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Letters inserted, deleted, replaced or swapped with their neighbour; case does not count. */
static int spelling_distance(const char *a, int a_length, const char *b, int b_length)
{
    int cost[LONGEST_WORD + 1][LONGEST_WORD + 1];
    for (int i = 0; i <= a_length; i++) {
        for (int j = 0; j <= b_length; j++) {
            if (!i || !j) {
                cost[i][j] = i + j;
                continue;
            }
            int best = cost[i - 1][j - 1] + !same_letter(a[i - 1], b[j - 1]);
            best = smaller(best, 1 + smaller(cost[i - 1][j], cost[i][j - 1]));
            if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
                same_letter(a[i - 2], b[j - 1]))
                best = smaller(best, 1 + cost[i - 2][j - 2]);
            cost[i][j] = best;
        }
    }
    return cost[a_length][b_length];
}

const char *nc_nearest_spelling(const char *word, const char *const *candidates, int count)
{
    size_t length = strlen(word);
    if (length > LONGEST_WORD)
        return NULL;
    int limit = length / 3 > 2 ? (int)length / 3 : 2;
    const char *nearest = NULL;
    for (int i = 0; i < count; i++) {
        size_t other = strlen(candidates[i]);
        if (other > LONGEST_WORD)
            continue;
        int distance = spelling_distance(word, (int)length, candidates[i], (int)other);
        int alike = distance < smaller((int)length, (int)other);
        if (alike && distance <= limit) {
            nearest = candidates[i];
            limit = distance - 1;
        }
    }
    return nearest;
}
