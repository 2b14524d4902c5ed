/* band: which kernels run over a few lines of an image at a time.
 *
 * Requires: the final order of kernels. Finds runs of kernels over images in which each reads a few lines of what
 * others compute, through windows or cell by cell: convolutions, depthwise ones, pooling, and the element-wise
 * chains on them. Where their tensors would not stay in a cache, such a run becomes one kernel of the template
 * `bands`, whose stages compute the lines that a band of the last result needs. What only the run touches is kept
 * as a ring of lines. Small work on weights goes before a run. Keeps: every value; the stages are the kernels that
 * would have run over whole images. Decides from shapes alone. */
#include <string.h>

#include "chain.h"
#include "group.h"
#include "passes.h"
#include "work.h"

enum {
    CACHE = 320 * 1024, /* bytes of rings, and of what is read for each band */
    WORTH = 2,          /* times as many bytes of tensors in rings make a run worth it */
    LONGEST = 8,        /* kernels of a run */
    SMALL = 16 * 1024,  /* bytes */
    STRETCHES = 4,      /* that an image is cut into for threads, */
    MEMORY = 16 << 20   /* while the rings of all take no more bytes */
};

/* A kernel that could be a stage: its image, and tiles of so many lines in so many units. In a run, lines of a
 * band: when `b` bands are done, so are b * step + lead lines, and what begins there begins start lines (0 or
 * fewer) above b * step. */
typedef struct {
    Kernel *kernel;
    int64_t height, granule, units;
    int64_t step, lead, start;
} Stage;

/* By buffer id: whether kernels outside of the run touch it, which stage writes it, and which ring it is, where */
typedef struct {
    bool outside;
    int writer, ring;
    int64_t offset;
} Use;

typedef struct {
    Arena *arena;
    Entry *entry;
    int64_t batch, cache;
    Stage *stages; /* of all kernels */
    int buffers;   /* without rings */
    int *touches;  /* by buffer id: kernels that do, */
    int *inside;   /* those of the run */
    Use *use;
    int begin, end;
    int64_t bands, rings; /* of an image; elements of a stretch */
} Bander;

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t round_up(int64_t a, int64_t b)
{
    return divide_up(a, b) * b;
}

/* ---- stages ------------------------------------------------------------------------------------ */

static const Node *image_of(const Kernel *kernel)
{
    return kernel->nodes[0];
}

/* Is all that the kernel reads of a batch either its first input or cells of its result's shape? */
static bool reads_lines(const Kernel *kernel)
{
    const Chain *chain = kernel->chain;
    const Node *image = image_of(kernel), *x = base_of(image->in[0]);
    if (x->shape.rank != 4 || kernel->in[0].buffer->elements != shape_row(image->in[0]->shape) ||
        image->in[0]->shape.rank != 4)
        return false;
    for (int i = 1; i < image->inputs; i++) {
        if (kernel->in[i].buffer->batched)
            return false;
    }
    for (int i = 0; i < chain->loads_count; i++) {
        if (kernel->in[chain->loads[i].in].buffer->batched &&
            !shape_equal(chain->loads[i].node->shape, image->shape))
            return false;
    }
    return true;
}

static bool writes_lines(const Kernel *kernel)
{
    const Chain *chain = kernel->chain;
    for (int i = 0; i < chain->stores_count; i++) {
        const Buffer *b = kernel->out[chain->stores[i].out].buffer;
        if (!shape_equal(chain->stores[i].node->shape, image_of(kernel)->shape) || !b->batched ||
            (b->kind != BUFFER_ARENA && b->kind != BUFFER_OUTPUT))
            return false;
    }
    return kernel->out_count > 0;
}

static bool in_slices(const BufferRef *refs, int count)
{
    for (int i = 0; i < count; i++) {
        if (refs[i].slice)
            return true;
    }
    return false;
}

/* Fills `stage`; its granule is 0 if the kernel can be none. */
static void examine(Stage *stage, Kernel *kernel)
{
    *stage = (Stage){.kernel = kernel};
    if (!kernel->lines.pixels || !kernel->chain || !kernel->chain->tile || kernel->chain->layout)
        return;
    Shape image = image_of(kernel)->shape;
    int64_t width = image.dim[2], pixels = kernel->lines.pixels;
    if (image.rank != 4 || image.dim[0] != BATCH || (pixels % width && width % pixels) ||
        in_slices(kernel->in, kernel->in_count) || in_slices(kernel->out, kernel->out_count) ||
        !reads_lines(kernel) || !writes_lines(kernel))
        return;
    stage->height = image.dim[1];
    stage->granule = pixels < width ? 1 : pixels / width;
    stage->units = kernel->lines.panels * (pixels < width ? width / pixels : 1);
    if (stage->height % stage->granule)
        stage->granule = 0;
}

/* Is it little work on weights, such as a normalization's scale? */
static bool is_small_map(const Kernel *kernel)
{
    int64_t bytes = 0;
    for (int i = 0; i < kernel->in_count; i++) {
        if (kernel->in[i].buffer->batched)
            return false;
    }
    for (int i = 0; i < kernel->out_count; i++) {
        const Buffer *out = kernel->out[i].buffer;
        if (out->batched || out->kind != BUFFER_ARENA)
            return false;
        bytes += buffer_bytes(out);
    }
    return !kernel->body_count && bytes <= SMALL;
}

/* The order with such before the stages that it would part */
static Kernel **small_maps_first(Arena *arena, const Entry *entry)
{
    int begin = 0;
    Kernel **kernels = ARENA_ARRAY(arena, Kernel *, entry->kernels_count + 1);
    for (int i = 0; i < entry->kernels_count; i++) {
        Kernel *kernel = entry->kernels[i], **from = &kernels[begin];
        kernels[i] = kernel;
        Stage stage;
        examine(&stage, kernel);
        if (is_small_map(kernel)) {
            memmove(from + 1, from, sizeof(Kernel *) * (size_t)(i - begin));
            *from = kernel;
            begin++;
        } else if (!stage.granule) {
            begin = i + 1;
        }
    }
    return kernels;
}

/* ---- a run ------------------------------------------------------------------------------------- */

static bool is_ring(const Bander *b, const Buffer *buffer)
{
    return b->use[buffer->id].writer >= 0 && !b->use[buffer->id].outside;
}

/* Which buffers the run writes, and which of them others read */
static void find_uses(Bander *b)
{
    memset(b->inside, 0, sizeof *b->inside * (size_t)b->buffers);
    for (int i = 0; i < b->buffers; i++)
        b->use[i] = (Use){.writer = -1};
    for (int i = b->begin; i < b->end; i++) {
        const Kernel *k = b->stages[i].kernel;
        for (int j = 0; j < k->in_count; j++)
            b->inside[k->in[j].buffer->id]++;
        for (int j = 0; j < k->out_count; j++) {
            b->inside[k->out[j].buffer->id]++;
            b->use[k->out[j].buffer->id].writer = i;
        }
    }
    for (int i = 0; i < b->buffers; i++) {
        const Buffer *buffer = b->entry->buffers[i];
        b->use[buffer->id].outside =
            buffer->kind != BUFFER_ARENA || b->touches[buffer->id] != b->inside[buffer->id];
    }
}

static bool reads_cells(const Kernel *kernel, int in)
{
    for (int i = 0; i < kernel->chain->loads_count; i++) {
        if (kernel->chain->loads[i].in == in)
            return true;
    }
    return false;
}

/* What a reader asks of the stage that computes what it reads, as a tensor of `shape`; false: it goes at another
 * pace, or sees other lines. */
static bool ask(Stage *of, const Stage *reader, Lines lines, Shape shape)
{
    int64_t step = reader->step * lines.stride,
            lead = reader->lead * lines.stride + lines.size - lines.stride - lines.before,
            start = reader->start * lines.stride - lines.before;
    if ((of->step && of->step != step) || !shape_equal(image_of(of->kernel)->shape, shape))
        return false;
    of->step = step;
    of->lead = lead > of->lead ? lead : of->lead;
    of->start = start < of->start ? start : of->start;
    return true;
}

static bool ask_all(Bander *b, Stage *reader)
{
    static const Lines itself = {.size = 1, .stride = 1};
    const Kernel *k = reader->kernel;
    const Node *image = image_of(k);
    for (int i = 0; i < k->in_count; i++) {
        int writer = b->use[k->in[i].buffer->id].writer;
        if (writer < 0)
            continue;
        if ((i == 0 && !ask(&b->stages[writer], reader, k->lines, image->in[0]->shape)) ||
            (reads_cells(k, i) && !ask(&b->stages[writer], reader, itself, image->shape)))
            return false;
    }
    return true;
}

/* Tiles are whole, the last band ends with the image, and threads that begin at different bands write nothing
 * twice that others read. */
static bool settle(const Bander *b, Stage *stage)
{
    if (!stage->step) {
        if (stage->height % b->bands)
            return false;
        stage->step = stage->height / b->bands;
    }
    int64_t behind = stage->height - b->bands * stage->step;
    stage->lead = round_up(behind > stage->lead ? behind : stage->lead, stage->granule);
    stage->start = -round_up(-stage->start, stage->granule);
    for (int i = 0; i < stage->kernel->out_count; i++) {
        if (!is_ring(b, stage->kernel->out[i].buffer) && (stage->lead || stage->start))
            return false;
    }
    return stage->step % stage->granule == 0 && stage->lead - stage->start <= stage->step;
}

/* Lines that a ring holds at most */
static int64_t ring_lines(const Stage *stage)
{
    return stage->step + stage->lead - stage->start;
}

static int64_t line_elements(const Stage *stage, const Buffer *buffer)
{
    return buffer->elements / stage->height;
}

static int64_t ring_elements(const Stage *stage, const Buffer *buffer)
{
    return block_elements(ring_lines(stage) * line_elements(stage, buffer) + BLOCK_SLACK);
}

/* Bytes that pass through the cache for a band: rings, lines of other tensors, and weights */
static int64_t band_bytes(Bander *b)
{
    int64_t bytes = 0;
    int ring = 0;
    b->rings = 0;
    for (int i = b->begin; i < b->end; i++) {
        const Stage *stage = &b->stages[i];
        const Kernel *k = stage->kernel;
        for (int j = 0; j < k->out_count; j++) {
            Buffer *out = k->out[j].buffer;
            if (is_ring(b, out)) {
                b->use[out->id].ring = ring++;
                b->use[out->id].offset = b->rings;
                b->rings += ring_elements(stage, out);
            } else {
                bytes += stage->step * line_elements(stage, out) * (int64_t)sizeof(float);
            }
        }
        for (int j = 0; j < k->in_count; j++) {
            const Buffer *in = k->in[j].buffer;
            if (b->use[in->id].writer < 0)
                bytes += in->batched ? buffer_bytes(in) / b->bands : buffer_bytes(in);
        }
    }
    return bytes + b->rings * (int64_t)sizeof(float);
}

/* Does the run [begin, end) fit in so many bands? */
static bool fits(Bander *b, int64_t bands)
{
    b->bands = bands;
    for (int i = b->begin; i < b->end; i++)
        b->stages[i].step = b->stages[i].lead = b->stages[i].start = 0;
    for (int i = b->end - 1; i >= b->begin; i--) {
        if (!settle(b, &b->stages[i]) || !ask_all(b, &b->stages[i]))
            return false;
    }
    return band_bytes(b) <= b->cache;
}

/* Each but the first reads what an earlier one computes. */
static bool is_connected(const Bander *b)
{
    for (int i = b->begin + 1; i < b->end; i++) {
        const Kernel *k = b->stages[i].kernel;
        bool reads = false;
        for (int j = 0; j < k->in_count; j++)
            reads |= b->use[k->in[j].buffer->id].writer >= 0;
        if (!reads)
            return false;
    }
    return true;
}

/* Bytes of an image that the run keeps from memory, in the fewest bands that fit; 0: it cannot, or needs not. */
static int64_t gain_of(Bander *b, int begin, int end)
{
    int64_t gain = 0;
    b->begin = begin;
    b->end = end;
    find_uses(b);
    for (int i = 0; i < b->buffers; i++) {
        const Buffer *buffer = b->entry->buffers[i];
        gain += is_ring(b, buffer) ? buffer_bytes(buffer) : 0;
    }
    if (gain < WORTH * b->cache || !is_connected(b))
        return 0;
    int64_t height = b->stages[end - 1].height;
    for (int64_t bands = 2; bands <= height; bands++) {
        if (height % bands == 0 && fits(b, bands))
            return gain;
    }
    return 0;
}

/* By kernel: where the run that begins there ends, for the largest gain in all */
static int *choose_runs(Bander *b)
{
    int count = b->entry->kernels_count, *ends = ARENA_ARRAY(b->arena, int, count + 1);
    int64_t *best = ARENA_ARRAY(b->arena, int64_t, count + 1);
    for (int i = count - 1; i >= 0; i--) {
        best[i] = best[i + 1];
        ends[i] = i + 1;
        for (int end = i + 1; end <= count && end - i <= LONGEST; end++) {
            if (!b->stages[end - 1].granule)
                break;
            int64_t gain = end - i > 1 ? gain_of(b, i, end) : 0;
            if (gain && gain + best[end] > best[i]) {
                best[i] = gain + best[end];
                ends[i] = end;
            }
        }
    }
    return ends;
}

/* ---- the kernel of a run ----------------------------------------------------------------------- */

static int add_ref(Arena *arena, BufferRef **refs, int *count, BufferRef ref)
{
    for (int i = 0; i < *count; i++) {
        if ((*refs)[i].buffer == ref.buffer)
            return i;
    }
    ARENA_PUSH(arena, *refs, *count, ref);
    return *count - 1;
}

/* A buffer as a stage addresses it: by the number of a line in the batch, even in a ring */
static const char *place_text(Bander *b, Kernel *run, BufferRef ref)
{
    if (is_ring(b, ref.buffer))
        return arena_printf(b->arena, "ring%d", b->use[ref.buffer->id].ring);
    bool written = b->use[ref.buffer->id].writer >= 0;
    int at = written ? add_ref(b->arena, &run->out, &run->out_count, ref)
                     : add_ref(b->arena, &run->in, &run->in_count, ref);
    return arena_printf(b->arena, "args->%s[%d]", written ? "out" : "in", at);
}

static const char *places_text(Bander *b, Kernel *run, const BufferRef *refs, int count)
{
    enum { A_LINE = 4 };
    Str text = str_new(b->arena);
    for (int i = 0; i < count; i++) {
        const char *separator = i % A_LINE ? ", " : ",\n                                         ";
        str_printf(&text, "%s%s", i ? separator : "", place_text(b, run, refs[i]));
    }
    return text.text;
}

/* The unit that begins at a line of an image */
static const char *unit_text(const Bander *b, const Stage *stage, const char *line)
{
    const char *at = arena_printf(b->arena, "(image * %lld + %s)", (long long)stage->height, line);
    if (stage->granule > 1)
        at = arena_printf(b->arena, "%s / %lld", at, (long long)stage->granule);
    return arena_printf(b->arena, "%s * %lld", at, (long long)stage->units);
}

static void bind_stage(Bander *b, Kernel *run, const Stage *stage)
{
    Kernel *k = stage->kernel;
    TemplateRecord *item = template_item(run->bind, "stages");
    bool ahead = stage->lead != stage->start;
    int number = run->stages_count;
    template_int(item, "k", number);
    template_int(item, "step", stage->step);
    template_int(item, "above", stage->start);
    template_int(item, "lead", stage->lead);
    template_int(item, "height", stage->height);
    template_int(item, "ahead", ahead);
    template_text(
        item, "from",
        unit_text(b, stage, arena_printf(b->arena, "%s%d", ahead ? "done" : "start", number)));
    template_text(item, "to", unit_text(b, stage, arena_printf(b->arena, "end%d", number)));
    template_text(item, "in", places_text(b, run, k->in, k->in_count));
    template_text(item, "out", places_text(b, run, k->out, k->out_count));
    for (int i = 0; i < k->nodes_count; i++)
        ARENA_PUSH(b->arena, run->nodes, run->nodes_count, k->nodes[i]);
    run->flops += k->flops;
    run->flops_fixed += k->flops_fixed;
    ARENA_PUSH(b->arena, run->stages, run->stages_count, k);
}

/* Before its stage is bound */
static void bind_rings(Bander *b, Kernel *run, const Stage *stage)
{
    for (int i = 0; i < stage->kernel->out_count; i++) {
        const Buffer *out = stage->kernel->out[i].buffer;
        if (!is_ring(b, out))
            continue;
        TemplateRecord *item = template_item(run->bind, "rings");
        template_int(item, "number", b->use[out->id].ring);
        template_int(item, "k", run->stages_count);
        template_int(item, "offset", b->use[out->id].offset);
        template_int(item, "line", line_elements(stage, out));
        template_int(item, "height", stage->height);
        template_int(item, "step", stage->step);
        template_int(item, "above", stage->start);
        template_int(item, "kept", stage->lead != stage->start);
    }
}

static Buffer *rings_buffer(Bander *b, int64_t stretches)
{
    Buffer *rings = ARENA_NEW(b->arena, Buffer);
    *rings = (Buffer){.kind = BUFFER_ARENA,
                      .id = b->entry->buffers_count,
                      .elements = b->rings * stretches,
                      .batched = true,
                      .first = -1,
                      .last = -1};
    ARENA_PUSH(b->arena, b->entry->buffers, b->entry->buffers_count, rings);
    return rings;
}

static int64_t stretches_of(const Bander *b)
{
    int64_t stretches = STRETCHES, image = b->batch * b->rings * (int64_t)sizeof(float);
    while (stretches > 1 && (b->bands % stretches || stretches * image > MEMORY))
        stretches--;
    return stretches;
}

static Kernel *run_kernel(Bander *b)
{
    Kernel *run = ARENA_NEW(b->arena, Kernel);
    int64_t stretches = stretches_of(b);
    run->template = "bands";
    run->bind = template_record(b->arena);
    template_list(run->bind, "rings");
    template_list(run->bind, "stages");
    template_int(run->bind, "BANDS", b->bands);
    template_int(run->bind, "STRETCH", b->bands / stretches);
    template_int(run->bind, "RING", b->rings);
    bool ahead = false;
    for (int i = b->begin; i < b->end; i++) {
        bind_rings(b, run, &b->stages[i]);
        bind_stage(b, run, &b->stages[i]);
        ahead |= b->stages[i].lead != b->stages[i].start;
    }
    template_int(run->bind, "ahead", ahead);
    template_int(run->bind, "RINGS", run->out_count);
    Buffer *rings = rings_buffer(b, stretches);
    ARENA_PUSH(b->arena, run->out, run->out_count, (BufferRef){.buffer = rings});
    run->units = stretches == 1 ? "n" : arena_printf(b->arena, "n * %lld", (long long)stretches);
    return run;
}

/* ---- all --------------------------------------------------------------------------------------- */

static void count_touches(int *touches, const Kernel *kernel)
{
    for (int i = 0; i < kernel->in_count; i++)
        touches[kernel->in[i].buffer->id]++;
    for (int i = 0; i < kernel->out_count; i++)
        touches[kernel->out[i].buffer->id]++;
    for (int i = 0; i < kernel->body_count; i++)
        count_touches(touches, kernel->body[i]);
}

void band(Entry *entry, int64_t batch, int64_t cache)
{
    int count = entry->kernels_count;
    Arena *arena = entry->graph->arena;
    Bander b = {.arena = arena, .entry = entry, .batch = batch, .cache = cache ? cache : CACHE};
    b.buffers = entry->buffers_count;
    b.stages = ARENA_ARRAY(arena, Stage, count + 1);
    b.touches = ARENA_ARRAY(arena, int, b.buffers + 1);
    b.inside = ARENA_ARRAY(arena, int, b.buffers + 1);
    b.use = ARENA_ARRAY(arena, Use, b.buffers + 1);
    Kernel **ordered = small_maps_first(arena, entry);
    for (int i = 0; i < count; i++) {
        examine(&b.stages[i], ordered[i]);
        count_touches(b.touches, ordered[i]);
    }
    const int *ends = choose_runs(&b);
    Kernel **kernels = NULL;
    int kept = 0;
    for (int i = 0; i < count; i = ends[i]) {
        Kernel *kernel = ordered[i];
        if (ends[i] > i + 1) {
            gain_of(&b, i, ends[i]);
            kernel = run_kernel(&b);
        }
        ARENA_PUSH(arena, kernels, kept, kernel);
    }
    if (kept == count)
        return;
    entry->kernels = kernels;
    entry->kernels_count = kept;
}
