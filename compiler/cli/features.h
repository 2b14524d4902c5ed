/* features: what a frozen trunk gives for every sample, computed once, so that epochs run the head
 * alone. In memory, or in a file in the run's folder that a resumed run finds again. */
#ifndef NETCC_FEATURES_H
#define NETCC_FEATURES_H

#include "cli/cli.h"

typedef struct {
    const Samples *of; /* whose features; NULL: there are none */
    const char *path;  /* of the file; NULL: in memory */
    struct nc_array *arrays;
    int count;
    struct nc_samples samples; /* features and the targets of `of` */
} FeatureSet;

enum { MOST_SETS = 3 };
typedef struct {
    FeatureSet sets[MOST_SETS];
    int64_t samples, bytes;
    double seconds;      /* that computing them took */
    bool in_file, found; /* all of them were there already */
} Features;

/* For a job whose program is split, after its weights are loaded: features of the sets of samples that
 * are not NULL and have rows. Files go to `folder`. Without a trunk it only forgets what was there. */
bool features_make(Job *job, const Samples *const sets[MOST_SETS], const char *folder,
                   Features *features);
/* What the program's steps read of `samples`. */
const struct nc_samples *features_of(const Features *features, const Samples *samples);
void features_close(Features *features);
/* Is it the name of a file of features that was not finished? */
bool features_is_piece(const char *name);

#endif
