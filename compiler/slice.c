/* slice: which kernels run over a few rows at a time.
 *
 * Requires: the final order of kernels. Finds runs of kernels that treat each row by itself and whose results
 * would not stay in a cache for all rows at once; such a run becomes a loop over slices of the batch. A tensor
 * that only the run touches then needs memory for one slice. Sums over rows whose records say that they
 * accumulate stay in the run; what depends on them, and other work that is not row by row, goes before or behind
 * it. Keeps: every dependence, all values (sums over rows too: a slice goes on where the last one ended).
 * Decides from shapes alone. */
#include <string.h>

#include "group.h"
#include "passes.h"
#include "work.h"

/* What of a slice is alive at once should be this small; a kernel that reads or writes more that is not by
 * rows (a large layer's weights) runs over all rows at once. */
enum { CACHE = 2 << 20 };

typedef enum { BY_ROWS, ACCUMULATES, WITHOUT_ROWS, OVER_ROWS } RowUse;

/* What a set of kernels reads and writes, by buffer id */
typedef struct {
    bool *reads, *writes;
} Touched;

typedef struct {
    Arena *arena;
    Entry *entry;
    int64_t batch;
    int64_t cache;    /* bytes of a slice that may be alive at once */
    Kernel **kernels; /* the new list */
    int count;
    Touched run, sums, behind; /* of the run, its accumulating kernels, and what comes after it */
} Slicer;

/* ---- how a kernel treats rows ---------------------------------------------------------------- */

static bool rows_first(const Node *node)
{
    return shape_batch_axis(node->shape) <= 0;
}

static void add_bytes(const BufferRef *refs, int count, int64_t *row, int64_t *other)
{
    for (int i = 0; i < count; i++)
        *(refs[i].buffer->batched ? row : other) += buffer_bytes(refs[i].buffer);
}

/* Bytes that a kernel reads and writes of a row; what is not by rows is added to `other`. */
static int64_t count_bytes(const Kernel *kernel, int64_t *other)
{
    int64_t row = 0;
    add_bytes(kernel->in, kernel->in_count, &row, other);
    add_bytes(kernel->out, kernel->out_count, &row, other);
    return row;
}

/* Are all tensors of it rows of a batch, or the same for all rows? */
static bool is_row_by_row(const Kernel *kernel)
{
    for (int i = 0; i < kernel->nodes_count; i++) {
        const Node *node = kernel->nodes[i];
        if (!rows_first(node))
            return false;
        for (int k = 0; k < node->inputs; k++) {
            const Node *in = node->in[k];
            if (!rows_first(in) || !rows_first(base_of(in)) ||
                (plays(in, ROLE_POSITIONS) && shape_has_batch(in->shape)))
                return false;
        }
    }
    return true;
}

static bool writes_only(const Kernel *kernel, bool batched)
{
    for (int i = 0; i < kernel->out_count; i++) {
        const Buffer *b = kernel->out[i].buffer;
        if (b->batched != batched || (b->kind != BUFFER_ARENA && b->kind != BUFFER_OUTPUT))
            return false;
    }
    return true;
}

static RowUse row_use(const Kernel *kernel)
{
    int64_t other = 0, row = count_bytes(kernel, &other);
    if (!row && !kernel->body_count)
        return WITHOUT_ROWS;
    if (kernel->body_count || other > CACHE || !is_row_by_row(kernel))
        return OVER_ROWS;
    if (writes_only(kernel, true))
        return BY_ROWS;
    bool accumulates = kernel->nodes_count && op_of(kernel->nodes[0])->accumulates;
    return accumulates && writes_only(kernel, false) ? ACCUMULATES : OVER_ROWS;
}

/* ---- dependences ----------------------------------------------------------------------------- */

static Touched touched_new(const Slicer *s)
{
    int count = s->entry->buffers_count + 1;
    return (Touched){ARENA_ARRAY(s->arena, bool, count), ARENA_ARRAY(s->arena, bool, count)};
}

static void touched_clear(const Slicer *s, Touched *touched)
{
    size_t size = sizeof(bool) * (size_t)(s->entry->buffers_count + 1);
    memset(touched->reads, 0, size);
    memset(touched->writes, 0, size);
}

static void touch_all(Touched *touched, const Kernel *kernel)
{
    for (int i = 0; i < kernel->in_count; i++)
        touched->reads[kernel->in[i].buffer->id] = true;
    for (int i = 0; i < kernel->out_count; i++)
        touched->writes[kernel->out[i].buffer->id] = true;
    for (int i = 0; i < kernel->body_count; i++)
        touch_all(touched, kernel->body[i]);
}

/* Must `kernel` stay behind (or before) those kernels? */
static bool depends(const Kernel *kernel, const Touched *on)
{
    for (int i = 0; i < kernel->in_count; i++) {
        if (on->writes[kernel->in[i].buffer->id])
            return true;
    }
    for (int i = 0; i < kernel->out_count; i++) {
        int id = kernel->out[i].buffer->id;
        if (on->writes[id] || on->reads[id])
            return true;
    }
    for (int i = 0; i < kernel->body_count; i++) {
        if (depends(kernel->body[i], on))
            return true;
    }
    return false;
}

/* ---- runs ------------------------------------------------------------------------------------ */

typedef struct {
    Kernel **before, **run, **behind;
    int before_count, run_count, behind_count;
    int end;   /* position of the first kernel that is in none of them */
    bool sums; /* over rows are in the run */
} Run;

/* The run that begins at a kernel and ends before `end`, or at the first kernel by rows that needs what comes
 * behind. */
static Run find_run(Slicer *s, int begin, int end)
{
    Run r = {.end = begin};
    touched_clear(s, &s->run);
    touched_clear(s, &s->sums);
    touched_clear(s, &s->behind);
    for (; r.end < end; r.end++) {
        Kernel *kernel = s->entry->kernels[r.end];
        RowUse use = row_use(kernel);
        bool late = depends(kernel, &s->behind) || depends(kernel, &s->sums);
        if (use == BY_ROWS || use == ACCUMULATES) {
            if (late)
                break;
            ARENA_PUSH(s->arena, r.run, r.run_count, kernel);
            touch_all(use == ACCUMULATES ? &s->sums : &s->run, kernel);
            r.sums |= use == ACCUMULATES;
        } else if (use == WITHOUT_ROWS && !late && !depends(kernel, &s->run)) {
            ARENA_PUSH(s->arena, r.before, r.before_count, kernel);
        } else {
            ARENA_PUSH(s->arena, r.behind, r.behind_count, kernel);
            touch_all(&s->behind, kernel);
        }
    }
    return r;
}

/* By buffer id: the first and last position of the run that touches it; `whole`: others touch it too */
typedef struct {
    int first, last;
    bool touched, whole;
} Life;

static void live(Life *life, const BufferRef *refs, int count, int at)
{
    for (int i = 0; i < count; i++) {
        Life *l = &life[refs[i].buffer->id];
        if (!l->touched)
            l->first = at;
        l->last = at;
        l->touched = true;
    }
}

static void find_outsiders(Life *life, const Kernel *kernel)
{
    for (int i = 0; i < kernel->in_count; i++)
        life[kernel->in[i].buffer->id].whole = true;
    for (int i = 0; i < kernel->out_count; i++)
        life[kernel->out[i].buffer->id].whole = true;
    for (int i = 0; i < kernel->body_count; i++)
        find_outsiders(life, kernel->body[i]);
}

static bool is_member(const Run *r, const Kernel *kernel)
{
    for (int i = 0; i < r->run_count; i++) {
        if (r->run[i] == kernel)
            return true;
    }
    return false;
}

static Life *find_lives(const Slicer *s, const Run *r, int begin)
{
    Life *life = ARENA_ARRAY(s->arena, Life, s->entry->buffers_count + 1);
    for (int i = 0; i < r->run_count; i++) {
        live(life, r->run[i]->in, r->run[i]->in_count, i);
        live(life, r->run[i]->out, r->run[i]->out_count, i);
    }
    for (int i = 0; i < s->entry->kernels_count; i++) {
        const Kernel *kernel = s->entry->kernels[i];
        if (i < begin || i >= r->end || !is_member(r, kernel))
            find_outsiders(life, kernel);
    }
    for (int i = 0; i < s->entry->buffers_count; i++)
        life[i].whole |= s->entry->buffers[i]->kind != BUFFER_ARENA;
    return life;
}

/* Bytes of a row that are alive at once, at most, and what the run alone touches of it in all */
static int64_t row_bytes(const Slicer *s, const Run *r, const Life *life, int64_t *own)
{
    int64_t most = 0;
    *own = 0;
    for (int at = 0; at < r->run_count; at++) {
        int64_t alive = 0;
        for (int i = 0; i < s->entry->buffers_count; i++) {
            const Life *l = &life[i];
            bool here = l->touched && (l->whole ? l->last == at || l->first == at
                                                : l->first <= at && at <= l->last);
            if (here && s->entry->buffers[i]->batched)
                alive += buffer_bytes(s->entry->buffers[i]);
        }
        most = alive > most ? alive : most;
    }
    for (int i = 0; i < s->entry->buffers_count; i++) {
        if (life[i].touched && !life[i].whole && s->entry->buffers[i]->batched)
            *own += buffer_bytes(s->entry->buffers[i]);
    }
    return most;
}

/* Rows of a slice; 0: all at once */
static int64_t slice_rows(const Slicer *s, const Run *r, const Life *life)
{
    int64_t own, alive = row_bytes(s, r, life, &own);
    if (r->run_count < 2 || own * s->batch <= s->cache || alive * s->batch <= s->cache)
        return 0;
    int64_t rows = s->cache / alive > 1 ? s->cache / alive : 1,
            slices = (s->batch + rows - 1) / rows;
    return (s->batch + slices - 1) / slices;
}

/* Bytes of a row that kernels of the run from `at` on read and others before it wrote */
static int64_t handed_over(const Slicer *s, const Life *life, int at)
{
    int64_t bytes = 0;
    for (int i = 0; i < s->entry->buffers_count; i++) {
        const Life *l = &life[i];
        if (l->touched && !l->whole && l->first < at && at <= l->last &&
            s->entry->buffers[i]->batched)
            bytes += buffer_bytes(s->entry->buffers[i]);
    }
    return bytes;
}

/* The position of the run's kernel from which on it should be a run of its own, or its length. Each slice reads
 * all weights again: where larger slices would save more of that than what is handed over costs, written and
 * read far away. All bytes are those of a row. */
static int best_split(const Slicer *s, const Run *r, const Life *life, int64_t rows)
{
    int64_t weights = 0, largest = 1, most = 0;
    int best = r->run_count;
    for (int at = r->run_count - 1; at > 0; at--) {
        int64_t row = count_bytes(r->run[at], &weights);
        largest = row > largest ? row : largest;
        int64_t fit = s->cache / largest, larger = fit < s->batch ? fit : s->batch;
        if (larger <= rows)
            continue;
        int64_t saved = weights / rows - weights / larger - 2 * handed_over(s, life, at);
        if (saved > most) {
            most = saved;
            best = at;
        }
    }
    return best;
}

static int position(const Slicer *s, const Kernel *kernel)
{
    int at = 0;
    while (s->entry->kernels[at] != kernel)
        at++;
    return at;
}

static void append(Slicer *s, Kernel *const *kernels, int count)
{
    for (int i = 0; i < count; i++)
        ARENA_PUSH(s->arena, s->kernels, s->count, kernels[i]);
}

static void append_loop(Slicer *s, const Run *r, const Life *life, int64_t rows)
{
    Kernel *loop = ARENA_NEW(s->arena, Kernel);
    loop->slice = rows;
    loop->body = r->run;
    loop->body_count = r->run_count;
    for (int i = 0; i < s->entry->buffers_count; i++) {
        Buffer *b = s->entry->buffers[i];
        if (life[i].touched && !life[i].whole && b->batched)
            b->slice = rows;
    }
    append(s, r->before, r->before_count);
    ARENA_PUSH(s->arena, s->kernels, s->count, loop);
    append(s, r->behind, r->behind_count);
}

/* The run that begins at a kernel, shorter while that is better; how many rows its slices have. One with sums is
 * left whole: gradients need what lies between its ends, which would be kept for all rows. */
static int64_t choose_run(Slicer *s, int begin, Run *r, const Life **life)
{
    for (int end = s->entry->kernels_count;;) {
        *r = find_run(s, begin, end);
        *life = find_lives(s, r, begin);
        int64_t rows = slice_rows(s, r, *life);
        int split = rows && !r->sums ? best_split(s, r, *life, rows) : r->run_count;
        if (split == r->run_count)
            return rows;
        end = position(s, r->run[split]);
    }
}

void slice(Entry *entry, int64_t batch, int64_t cache)
{
    Arena *arena = entry->graph->arena;
    Slicer s = {.arena = arena, .entry = entry, .batch = batch, .cache = cache ? cache : CACHE};
    s.run = touched_new(&s);
    s.sums = touched_new(&s);
    s.behind = touched_new(&s);
    for (int at = 0; batch > 1 && at < entry->kernels_count;) {
        RowUse use = row_use(entry->kernels[at]);
        Run r = {0};
        const Life *life = NULL;
        int64_t rows = 0;
        if (use == BY_ROWS || use == ACCUMULATES)
            rows = choose_run(&s, at, &r, &life);
        if (rows) {
            append_loop(&s, &r, life, rows);
            at = r.end;
        } else {
            append(&s, &entry->kernels[at], 1);
            at++;
        }
    }
    if (s.count) {
        entry->kernels = s.kernels;
        entry->kernels_count = s.count;
    }
}
