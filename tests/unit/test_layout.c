/* Layouts: offsets against naive formulas, sizes with padding, and the runtime's packing against
 * the compiler's offsets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harness.h"
#include "layout.h"
#include "weights.h"

static Arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static Shape matrix(int64_t rows, int64_t columns)
{
    return shape_of(2, (int64_t[]){rows, columns});
}

/* Where [k][j] of a [K, N] matrix lies in panels of `width` columns. */
static int64_t panel_offset(int64_t rows, int64_t width, int64_t k, int64_t j)
{
    return j / width * (rows * width) + k * width + j % width;
}

static void check_panels(int64_t rows, int64_t columns, int64_t width)
{
    Shape shape = matrix(rows, columns);
    const Layout *layout = layout_panels(arena, shape, width);
    int64_t elements = layout_elements(layout, shape), cells = 0;
    assert_int_equal(layout_panel_width(layout, shape), width);
    assert_int_equal(elements, (columns + width - 1) / width * width * rows);
    char *taken = ARENA_ARRAY(arena, char, elements);
    for (int64_t k = 0; k < rows; k++) {
        for (int64_t j = 0; j < columns; j++, cells++) {
            int64_t at = layout_offset(layout, shape, (int64_t[]){k, j});
            assert_int_equal(at, panel_offset(rows, width, k, j));
            assert_in_range(at, 0, elements - 1);
            assert_int_equal(taken[at]++, 0);
        }
    }
    assert_int_equal(cells, rows * columns);
}

static void panels(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 2, 3, 15, 16, 17, 31, 32, 33, 64, 100};
    static const int64_t widths[] = {1, 4, 16, 32};
    for (size_t r = 0; r < sizeof sizes / sizeof *sizes; r++) {
        for (size_t c = 0; c < sizeof sizes / sizeof *sizes; c++) {
            for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
                check_panels(sizes[r], sizes[c], widths[w]);
        }
    }
}

static void row_major(void **state)
{
    (void)state;
    Shape shape = shape_of(3, (int64_t[]){4, 3, 5});
    int64_t expected = 0;
    for (int64_t a = 0; a < 4; a++) {
        for (int64_t b = 0; b < 3; b++) {
            for (int64_t c = 0; c < 5; c++)
                assert_int_equal(layout_offset(NULL, shape, (int64_t[]){a, b, c}), expected++);
        }
    }
    assert_int_equal(layout_elements(NULL, shape), 60);
    assert_int_equal(layout_panel_width(NULL, matrix(4, 7)), 7);
    assert_int_equal(layout_offset(NULL, scalar_shape(), NULL), 0);
    assert_int_equal(layout_elements(NULL, scalar_shape()), 1);
}

static void compares_and_prints(void **state)
{
    (void)state;
    const Layout *a = layout_panels(arena, matrix(784, 128), 32);
    const Layout *b = layout_panels(arena, matrix(784, 100), 32);
    const Layout *c = layout_panels(arena, matrix(784, 128), 16);
    assert_true(layout_equal(a, b)); /* the same cells, other padding */
    assert_false(layout_equal(a, c));
    assert_false(layout_equal(a, NULL));
    assert_true(layout_equal(NULL, NULL));
    Str text = str_new(arena);
    layout_print(&text, a);
    layout_print(&text, NULL);
    assert_string_equal(text.text, "1:4x32 0:784x1 1:32x1");
    for (int64_t n = 1; n < 100; n++)
        assert_int_equal(layout_default_width(n) % 16, 0);
}

/* ---- the runtime's packing ------------------------------------------------------------------- */

static struct nc_parameter parameter_of(Shape shape, const Layout *layout)
{
    struct nc_parameter p = {.name = "p",
                             .rank = shape.rank,
                             .elements = shape_row(shape),
                             .offset = 24,
                             .packed_elements = layout_elements(layout, shape),
                             .levels = layout ? layout->levels : 0};
    memcpy(p.shape, shape.dim, sizeof p.shape);
    if (layout)
        memcpy(p.level, layout->level, sizeof p.level);
    return p;
}

static void index_of(Shape shape, int64_t e, int64_t *index)
{
    for (int axis = shape.rank - 1; axis >= 0; axis--) {
        index[axis] = e % shape.dim[axis];
        e /= shape.dim[axis];
    }
}

static double cell(const void *block, size_t real_bytes, int64_t at)
{
    return real_bytes == 8 ? ((const double *)block)[at] : (double)((const float *)block)[at];
}

/* Element e has value e + 1; everything else of the packed parameter must be 0. */
static void check_packing(Shape shape, const Layout *layout, size_t real_bytes)
{
    struct nc_parameter p = parameter_of(shape, layout);
    float *canonical = ARENA_ARRAY(arena, float, p.elements);
    float *back = ARENA_ARRAY(arena, float, p.elements);
    size_t bytes = (size_t)(p.offset + p.packed_elements) * real_bytes;
    void *block = arena_alloc(arena, bytes);
    memset(block, 0x55, bytes);
    for (int64_t e = 0; e < p.elements; e++)
        canonical[e] = (float)(e + 1);
    nc_pack(&p, real_bytes, canonical, block);
    double total = 0;
    for (int64_t at = 0; at < p.packed_elements; at++)
        total += cell(block, real_bytes, p.offset + at);
    assert_true(total == (double)p.elements * (double)(p.elements + 1) / 2);
    for (int64_t e = 0; e < p.elements; e++) {
        int64_t index[MAX_RANK];
        index_of(shape, e, index);
        int64_t at = p.offset + layout_offset(layout, shape, index);
        assert_true(cell(block, real_bytes, at) == (double)(e + 1));
        assert_int_equal(nc_packed_index(&p, e), at);
    }
    for (size_t i = 0; i < (size_t)p.offset * real_bytes; i++)
        assert_int_equal(((unsigned char *)block)[i], 0x55);
    nc_unpack(&p, real_bytes, block, back);
    assert_memory_equal(back, canonical, sizeof(float) * (size_t)p.elements);
}

static void packing_agrees(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 5, 16, 33, 70};
    for (size_t real_bytes = 4; real_bytes <= 8; real_bytes += 4) {
        for (int r = 0; r < 5; r++) {
            for (int c = 0; c < 5; c++) {
                Shape shape = matrix(sizes[r], sizes[c]);
                check_packing(shape, layout_panels(arena, shape, 16), real_bytes);
                check_packing(shape, layout_panels(arena, shape, 32), real_bytes);
                check_packing(shape, NULL, real_bytes);
            }
        }
        check_packing(scalar_shape(), NULL, real_bytes);
        check_packing(shape_of(4, (int64_t[]){3, 3, 2, 5}), NULL, real_bytes);
    }
}

/* Two levels of one axis around another, and blocks of two axes: not only what netcc makes. */
static void packing_of_other_layouts(void **state)
{
    (void)state;
    static const Layout blocks = {.levels = 4,
                                  .level = {{0, 3, 4}, {1, 4, 2}, {0, 4, 1}, {1, 2, 1}}};
    static const Layout transposed = {.levels = 2, .level = {{1, 7, 1}, {0, 10, 1}}};
    static const Layout thrice = {.levels = 4,
                                  .level = {{1, 2, 4}, {1, 2, 2}, {0, 10, 1}, {1, 2, 1}}};
    Shape shape = matrix(10, 7);
    check_packing(shape, &blocks, 4);
    check_packing(shape, &transposed, 4);
    check_packing(shape, &thrice, 8);
}

/* ---- the pass -------------------------------------------------------------------------------- */

static void right_operands_lie_in_panels(void **state)
{
    (void)state;
    Case *c = case_new();
    Node *x = case_operand(c, shape_of(2, (int64_t[]){BATCH, 8}), -1, 1, 1);
    Node *w = case_operand(c, matrix(8, 40), -1, 1, 2);
    Node *b = case_operand(c, matrix(1, 40), -1, 1, 3);
    Node *y = node2(c->graph, OP_add, node2(c->graph, OP_matmul, x, w), b);
    graph_output(c->graph, "y", y, (Loc){0});
    Graph *graph = simplify(c->graph);
    lay_out_params(c->arena, c->model->params, &graph, 1, 5);
    const Param *kernel = node_param(w), *bias = node_param(b);
    assert_non_null(kernel->layout);
    assert_int_equal(layout_panel_width(kernel->layout, kernel->shape), 32);
    assert_null(bias->layout);
    const Layout **layouts = lay_out(graph, c->arena);
    for (int i = 0; i < graph->count; i++)
        assert_true(layout_equal(layouts[i],
                                 node_param(graph->nodes[i]) == kernel ? kernel->layout : NULL));
    case_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(panels),
        cmocka_unit_test(row_major),
        cmocka_unit_test(compares_and_prints),
        cmocka_unit_test(packing_agrees),
        cmocka_unit_test(packing_of_other_layouts),
        cmocka_unit_test(right_operands_lie_in_panels),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
