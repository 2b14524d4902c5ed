/* The stack machine of pickles: see pickle.h for what it leaves out. */
#include "torch/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct machine {
    struct nc_pickle *pickle;
    const unsigned char *bytes;
    size_t size, at;
    size_t start;                   /* of the instruction, for messages */
    struct nc_pickle_value **stack; /* malloc'ed, as all of these */
    size_t depth, stack_room;
    size_t *marks; /* depths at which marks were set */
    size_t marks_count, marks_room;
    struct nc_pickle_value **memo;
    size_t memo_room, memo_next;
    struct nc_pickle_value *result;
    struct nc_error *err;
};

static int fault(struct machine *m, const char *message)
{
    nc_fail(m->err, m->pickle->path, "byte %zu of the pickle: %s", m->start, message);
    return -1;
}

static int no_memory(struct machine *m)
{
    return fault(m, "too much memory is needed");
}

/* ---- operands ---------------------------------------------------------------------------------- */

static int take(struct machine *m, size_t count, const unsigned char **bytes)
{
    if (count > m->size - m->at)
        return fault(m, "the pickle ends early");
    *bytes = m->bytes + m->at;
    m->at += count;
    return 0;
}

/* An unsigned number of up to 8 bytes */
static int take_number(struct machine *m, size_t count, uint64_t *number)
{
    const unsigned char *bytes;
    if (take(m, count, &bytes) != 0)
        return -1;
    *number = 0;
    for (size_t i = 0; i < count; i++)
        *number |= (uint64_t)bytes[i] << (8 * i);
    return 0;
}

static int take_line(struct machine *m, const char **text, size_t *length)
{
    const unsigned char *start = m->bytes + m->at, *end = memchr(start, '\n', m->size - m->at);
    if (!end)
        return fault(m, "the pickle ends early");
    *text = (const char *)start;
    *length = (size_t)(end - start);
    m->at += *length + 1;
    return 0;
}

/* ---- the stack --------------------------------------------------------------------------------- */

/* Room for one more of `unit` bytes. */
static int reserve(void **list, size_t count, size_t *room, size_t unit)
{
    if (count < *room)
        return 0;
    size_t wanted = *room ? 2 * *room : 64;
    void *more = realloc(*list, wanted * unit);
    if (!more)
        return -1;
    *list = more;
    *room = wanted;
    return 0;
}

static int push(struct machine *m, struct nc_pickle_value *value)
{
    if (!value)
        return -1;
    void *stack = m->stack;
    if (reserve(&stack, m->depth, &m->stack_room, sizeof *m->stack) != 0)
        return no_memory(m);
    m->stack = stack;
    m->stack[m->depth++] = value;
    return 0;
}

static int push_kind(struct machine *m, enum nc_pickle_kind kind)
{
    struct nc_pickle_value *value = nc_pickle_value(m->pickle, kind);
    return value ? push(m, value) : no_memory(m);
}

static int push_int(struct machine *m, int64_t number)
{
    if (push_kind(m, NC_PICKLE_INT) != 0)
        return -1;
    m->stack[m->depth - 1]->number = number;
    return 0;
}

static int push_text(struct machine *m, const void *text, size_t length)
{
    if (push_kind(m, NC_PICKLE_TEXT) != 0)
        return -1;
    m->stack[m->depth - 1]->text = text;
    m->stack[m->depth - 1]->length = length;
    return 0;
}

/* How many values lie above the last mark, or on the whole stack. */
static size_t above(const struct machine *m)
{
    return m->depth - (m->marks_count ? m->marks[m->marks_count - 1] : 0);
}

static int needs(struct machine *m, size_t count)
{
    return above(m) >= count ? 0 : fault(m, "the stack is empty");
}

static struct nc_pickle_value *top(const struct machine *m)
{
    return m->stack[m->depth - 1];
}

static int mark(struct machine *m)
{
    void *marks = m->marks;
    if (reserve(&marks, m->marks_count, &m->marks_room, sizeof *m->marks) != 0)
        return no_memory(m);
    m->marks = marks;
    m->marks[m->marks_count++] = m->depth;
    return 0;
}

/* Takes the last mark away; the values above it are at *from, until something is pushed. */
static int pop_mark(struct machine *m, struct nc_pickle_value ***from, size_t *count)
{
    if (!m->marks_count)
        return fault(m, "there is no mark");
    m->marks_count--;
    size_t depth = m->marks[m->marks_count];
    *from = m->stack ? m->stack + depth : NULL;
    *count = m->depth - depth;
    m->depth = depth;
    return 0;
}

/* ---- values that hold others ------------------------------------------------------------------- */

static int append_all(struct machine *m, struct nc_pickle_value *to,
                      struct nc_pickle_value *const *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (nc_pickle_push(m->pickle, to, from[i]) != 0)
            return no_memory(m);
    }
    return 0;
}

/* The last `count` values become a list. */
static int make_list(struct machine *m, size_t count)
{
    struct nc_pickle_value *list = nc_pickle_value(m->pickle, NC_PICKLE_LIST);
    if (!list)
        return no_memory(m);
    if (needs(m, count) != 0 || append_all(m, list, m->stack + m->depth - count, count) != 0)
        return -1;
    m->depth -= count;
    return push(m, list);
}

static int make_marked(struct machine *m, enum nc_pickle_kind kind)
{
    struct nc_pickle_value *list = nc_pickle_value(m->pickle, kind), **from;
    size_t count;
    if (!list)
        return no_memory(m);
    if (pop_mark(m, &from, &count) != 0 || append_all(m, list, from, count) != 0)
        return -1;
    if (kind == NC_PICKLE_DICT && count % 2)
        return fault(m, "a key without a value");
    return push(m, list);
}

/* Adds values to the container below them. */
static int add_to(struct machine *m, enum nc_pickle_kind kind, struct nc_pickle_value *const *from,
                  size_t count)
{
    if (needs(m, 1) != 0)
        return -1;
    if (top(m)->kind != kind)
        return fault(m, kind == NC_PICKLE_DICT ? "not a dict" : "not a list");
    if (kind == NC_PICKLE_DICT && count % 2)
        return fault(m, "a key without a value");
    return append_all(m, top(m), from, count);
}

static int add_last(struct machine *m, enum nc_pickle_kind kind, size_t count)
{
    if (needs(m, count + 1) != 0)
        return -1;
    m->depth -= count;
    return add_to(m, kind, m->stack + m->depth, count);
}

static int add_marked(struct machine *m, enum nc_pickle_kind kind)
{
    struct nc_pickle_value **from;
    size_t count;
    return pop_mark(m, &from, &count) == 0 ? add_to(m, kind, from, count) : -1;
}

/* ---- the memo ---------------------------------------------------------------------------------- */

/* Each entry takes an instruction, so its number is below the pickle's size. */
static int put(struct machine *m, uint64_t index)
{
    if (needs(m, 1) != 0)
        return -1;
    if (index >= m->size)
        return fault(m, "a memo entry beyond reason");
    if (index >= m->memo_room) {
        size_t room = index < 32 ? 64 : 2 * ((size_t)index + 1);
        struct nc_pickle_value **more = realloc(m->memo, room * sizeof *more);
        if (!more)
            return no_memory(m);
        memset(more + m->memo_room, 0, (room - m->memo_room) * sizeof *more);
        m->memo = more;
        m->memo_room = room;
    }
    m->memo[index] = top(m);
    m->memo_next = index + 1 > m->memo_next ? (size_t)index + 1 : m->memo_next;
    return 0;
}

static int get(struct machine *m, uint64_t index)
{
    if (index >= m->memo_room || !m->memo[index])
        return fault(m, "a memo entry that was not made");
    return push(m, m->memo[index]);
}

/* ---- instructions ------------------------------------------------------------------------------ */

static int do_put(struct machine *m, size_t bytes)
{
    uint64_t index;
    return take_number(m, bytes, &index) == 0 ? put(m, index) : -1;
}

static int do_get(struct machine *m, size_t bytes)
{
    uint64_t index;
    return take_number(m, bytes, &index) == 0 ? get(m, index) : -1;
}

static int do_memoize(struct machine *m, size_t unused)
{
    (void)unused;
    return put(m, m->memo_next);
}

static int do_int(struct machine *m, size_t bytes)
{
    uint64_t number;
    if (take_number(m, bytes, &number) != 0)
        return -1;
    return push_int(m, bytes == 4 ? (int32_t)(uint32_t)number : (int64_t)number);
}

/* Two's complement of any length; what exceeds 64 bits is no size. */
static int do_long(struct machine *m, size_t length_bytes)
{
    uint64_t length, number = 0;
    const unsigned char *bytes;
    if (take_number(m, length_bytes, &length) != 0 || take(m, (size_t)length, &bytes) != 0)
        return -1;
    if (length > 8)
        return push_kind(m, NC_PICKLE_OTHER);
    for (size_t i = 0; i < length; i++)
        number |= (uint64_t)bytes[i] << (8 * i);
    if (length && length < 8 && bytes[length - 1] & 0x80)
        number |= ~(uint64_t)0 << (8 * length);
    return push_int(m, (int64_t)number);
}

/* Protocol 0: digits, perhaps an L */
static int do_digits(struct machine *m, size_t unused)
{
    const char *text;
    size_t length;
    char digits[24] = "", *end;
    (void)unused;
    if (take_line(m, &text, &length) != 0)
        return -1;
    if (length && text[length - 1] == 'L')
        length--;
    if (length >= sizeof digits)
        return push_kind(m, NC_PICKLE_OTHER);
    memcpy(digits, text, length);
    errno = 0;
    long long number = strtoll(digits, &end, 10);
    return *end || !length || errno ? fault(m, "no number") : push_int(m, number);
}

static int do_float(struct machine *m, size_t bytes)
{
    const unsigned char *ignored;
    return take(m, bytes, &ignored) == 0 ? push_kind(m, NC_PICKLE_OTHER) : -1;
}

static int do_float_line(struct machine *m, size_t unused)
{
    const char *text;
    size_t length;
    (void)unused;
    return take_line(m, &text, &length) == 0 ? push_kind(m, NC_PICKLE_OTHER) : -1;
}

static int do_text(struct machine *m, size_t length_bytes)
{
    uint64_t length;
    const unsigned char *bytes;
    if (take_number(m, length_bytes, &length) != 0 || take(m, (size_t)length, &bytes) != 0)
        return -1;
    return push_text(m, bytes, (size_t)length);
}

static int do_text_line(struct machine *m, size_t unused)
{
    const char *text;
    size_t length;
    (void)unused;
    return take_line(m, &text, &length) == 0 ? push_text(m, text, length) : -1;
}

static int do_skip(struct machine *m, size_t bytes)
{
    const unsigned char *ignored;
    return take(m, bytes, &ignored);
}

static int do_kind(struct machine *m, size_t kind)
{
    return push_kind(m, (enum nc_pickle_kind)kind);
}

static int do_truth(struct machine *m, size_t truth)
{
    return push_int(m, (int64_t)truth);
}

static int do_mark(struct machine *m, size_t unused)
{
    (void)unused;
    return mark(m);
}

static int do_pop(struct machine *m, size_t unused)
{
    struct nc_pickle_value **from;
    size_t count;
    (void)unused;
    if (!above(m))
        return pop_mark(m, &from, &count);
    m->depth--;
    return 0;
}

static int do_pop_mark(struct machine *m, size_t unused)
{
    struct nc_pickle_value **from;
    size_t count;
    (void)unused;
    return pop_mark(m, &from, &count);
}

static int do_dup(struct machine *m, size_t unused)
{
    (void)unused;
    return needs(m, 1) == 0 ? push(m, top(m)) : -1;
}

static int do_list(struct machine *m, size_t count)
{
    return make_list(m, count);
}

static int do_marked(struct machine *m, size_t kind)
{
    return make_marked(m, (enum nc_pickle_kind)kind);
}

static int do_append(struct machine *m, size_t unused)
{
    (void)unused;
    return add_last(m, NC_PICKLE_LIST, 1);
}

static int do_set_item(struct machine *m, size_t unused)
{
    (void)unused;
    return add_last(m, NC_PICKLE_DICT, 2);
}

static int do_add_marked(struct machine *m, size_t kind)
{
    return add_marked(m, (enum nc_pickle_kind)kind);
}

static int do_global(struct machine *m, size_t unused)
{
    const char *module, *name;
    size_t module_length, name_length;
    (void)unused;
    if (take_line(m, &module, &module_length) != 0 || take_line(m, &name, &name_length) != 0)
        return -1;
    return push(m, nc_pickle_name(m->pickle, module, module_length, name, name_length, m->err));
}

static int do_stack_global(struct machine *m, size_t unused)
{
    (void)unused;
    if (needs(m, 2) != 0)
        return -1;
    const struct nc_pickle_value *module = m->stack[m->depth - 2], *name = m->stack[m->depth - 1];
    if (module->kind != NC_PICKLE_TEXT || name->kind != NC_PICKLE_TEXT)
        return fault(m, "a name that is no text");
    m->depth -= 2;
    return push(m, nc_pickle_name(m->pickle, module->text, module->length, name->text, name->length,
                                  m->err));
}

static int do_call(struct machine *m, size_t unused)
{
    (void)unused;
    if (needs(m, 2) != 0)
        return -1;
    m->depth -= 2;
    return push(m, nc_pickle_call(m->pickle, m->stack[m->depth], m->stack[m->depth + 1], m->err));
}

/* The state that an object is given holds nothing of a tensor's: it is dropped. */
static int do_build(struct machine *m, size_t unused)
{
    (void)unused;
    if (needs(m, 2) != 0)
        return -1;
    m->depth--;
    return top(m)->kind == NC_PICKLE_NAME ? fault(m, "a state for a name") : 0;
}

static int do_persistent(struct machine *m, size_t unused)
{
    (void)unused;
    if (needs(m, 1) != 0)
        return -1;
    struct nc_pickle_storage *storage = nc_pickle_storage_of(m->pickle, top(m), m->err);
    if (!storage)
        return -1;
    m->depth--;
    if (push_kind(m, NC_PICKLE_STORAGE) != 0)
        return -1;
    top(m)->storage = storage;
    return 0;
}

static int do_stop(struct machine *m, size_t unused)
{
    (void)unused;
    if (needs(m, 1) != 0)
        return -1;
    m->result = top(m);
    return 0;
}

static const struct {
    unsigned char code;
    int (*run)(struct machine *m, size_t argument);
    size_t argument;
} instructions[] = {
    {0x80, do_skip, 1},
    {0x95, do_skip, 8},
    {'.', do_stop, 0},
    {'(', do_mark, 0},
    {'0', do_pop, 0},
    {'1', do_pop_mark, 0},
    {'2', do_dup, 0},
    {'N', do_kind, NC_PICKLE_OTHER},
    {0x88, do_truth, 1},
    {0x89, do_truth, 0},
    {'J', do_int, 4},
    {'K', do_int, 1},
    {'M', do_int, 2},
    {0x8a, do_long, 1},
    {0x8b, do_long, 4},
    {'I', do_digits, 0},
    {'L', do_digits, 0},
    {'G', do_float, 8},
    {'F', do_float_line, 0},
    {'U', do_text, 1},
    {'T', do_text, 4},
    {'X', do_text, 4},
    {'V', do_text_line, 0},
    {0x8c, do_text, 1},
    {0x8d, do_text, 8},
    {'B', do_text, 4},
    {'C', do_text, 1},
    {0x8e, do_text, 8},
    {']', do_kind, NC_PICKLE_LIST},
    {')', do_kind, NC_PICKLE_LIST},
    {0x8f, do_kind, NC_PICKLE_LIST},
    {'}', do_kind, NC_PICKLE_DICT},
    {'l', do_marked, NC_PICKLE_LIST},
    {'t', do_marked, NC_PICKLE_LIST},
    {0x91, do_marked, NC_PICKLE_LIST},
    {'d', do_marked, NC_PICKLE_DICT},
    {0x85, do_list, 1},
    {0x86, do_list, 2},
    {0x87, do_list, 3},
    {'a', do_append, 0},
    {'e', do_add_marked, NC_PICKLE_LIST},
    {0x90, do_add_marked, NC_PICKLE_LIST},
    {'s', do_set_item, 0},
    {'u', do_add_marked, NC_PICKLE_DICT},
    {'c', do_global, 0},
    {0x93, do_stack_global, 0},
    {'R', do_call, 0},
    {0x81, do_call, 0},
    {'b', do_build, 0},
    {'Q', do_persistent, 0},
    {'q', do_put, 1},
    {'r', do_put, 4},
    {0x94, do_memoize, 0},
    {'h', do_get, 1},
    {'j', do_get, 4},
};
enum { INSTRUCTIONS = sizeof instructions / sizeof *instructions };

static int step(struct machine *m)
{
    const unsigned char *code;
    int i = 0;
    m->start = m->at;
    if (take(m, 1, &code) != 0)
        return -1;
    while (i < INSTRUCTIONS && instructions[i].code != *code)
        i++;
    if (i < INSTRUCTIONS)
        return instructions[i].run(m, instructions[i].argument);
    return nc_fail(m->err, m->pickle->path,
                   "byte %zu of the pickle: instruction 0x%02x, which no file of tensors has",
                   m->start, *code);
}

struct nc_pickle_value *nc_pickle_read(struct nc_pickle *pickle, const unsigned char *bytes,
                                       size_t size, size_t *taken, struct nc_error *err)
{
    struct machine m = {.pickle = pickle, .bytes = bytes, .size = size, .err = err};
    int result = 0;
    while (result == 0 && !m.result)
        result = step(&m);
    free(m.stack);
    free(m.marks);
    free(m.memo);
    *taken = m.at;
    return result == 0 ? m.result : NULL;
}
