/* spelling: what a misspelt word was meant to be. */
#ifndef NC_SPELLING_H
#define NC_SPELLING_H

/* The candidate nearest in spelling to `word` (Damerau-Levenshtein, at most a third of its letters
 * wrong, two at least), or NULL. */
const char *nc_nearest_spelling(const char *word, const char *const *candidates, int count);

#endif
