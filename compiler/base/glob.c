/* Patterns over names. Where a later part does not fit, only the last `*` takes one more character:
 * the time is bounded by the product of both lengths. */
#include "base/glob.h"

#include <string.h>

static bool match(const char *pattern, const char *text, const char *end)
{
    const char *star = NULL, *from = NULL;
    while (text < end) {
        if (*pattern == '*') {
            star = pattern++;
            from = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

bool glob_match(const char *pattern, const char *text)
{
    return match(pattern, text, text + strlen(text));
}

bool glob_match_path(const char *pattern, const char *name)
{
    for (const char *slash = name; (slash = strchr(slash, '/')); slash++) {
        if (match(pattern, name, slash))
            return true;
    }
    return glob_match(pattern, name);
}

int glob_capture(const char *pattern, const char *text, GlobSpan *spans)
{
    const char *star = NULL;
    int count = 0;
    while (*text) {
        if (*pattern == '*') {
            if (count == GLOB_STARS)
                return -1;
            star = pattern++;
            spans[count++] = (GlobSpan){text, 0};
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            GlobSpan *last = &spans[count - 1];
            pattern = star + 1;
            text = last->start + ++last->length;
        } else {
            return -1;
        }
    }
    for (; *pattern == '*' && count < GLOB_STARS; pattern++)
        spans[count++] = (GlobSpan){text, 0};
    return *pattern ? -1 : count;
}
