/* The rules of Keras's EarlyStopping, the first epoch being 1 here and 0 there. */
#include "watch.h"

#include <math.h>

static int improves(const struct nc_watch *w, double value, double reference)
{
    return w->rises ? value - w->min_delta > reference : value + w->min_delta < reference;
}

int nc_watch_epoch(struct nc_watch *w, int64_t epoch, double value)
{
    if (epoch <= w->start_from_epoch)
        return 0;
    w->wait++;
    if (w->best_epoch && !improves(w, value, w->best))
        return 0;
    w->best = value;
    w->best_epoch = epoch;
    if (isinf(w->baseline) || improves(w, value, w->baseline))
        w->wait = 0;
    return 1;
}

int nc_watch_is_over(const struct nc_watch *w, int64_t epoch)
{
    return epoch > 1 && w->best_epoch != epoch && w->wait > 0 && w->wait >= w->patience;
}
