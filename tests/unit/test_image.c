/* Pictures: every kind of PNG and JPEG is read as what it shows, framed as it should be; what is
 * damaged or too large is refused. `test_image --write FOLDER COUNT SEED` writes the pictures that
 * tests/images trains on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "data/image.h"
#include "pictures.h"
#include "pool.h"
#include "scratch.h"

static struct nc_image opened(const char *path, int channels)
{
    struct nc_image image;
    if (nc_image_open(&image, path, channels, &err) != 0)
        fail_msg("%s: %s", err.path, err.message);
    assert_int_equal(image.channels, channels);
    return image;
}

/* All pixels are within `tolerance` of the colour. */
static void shows(const char *path, int channels, const unsigned char *colour, int tolerance)
{
    struct nc_image image = opened(path, channels);
    for (int i = 0; i < image.width * image.height * channels; i++) {
        if (abs(image.pixels[i] - colour[i % channels]) > tolerance)
            fail_msg("%s: value %d is %d, not %d", path, i, image.pixels[i], colour[i % channels]);
    }
    nc_image_close(&image);
}

/* ---- png --------------------------------------------------------------------------------------- */

static void pngs_of_every_kind_are_read(void **state)
{
    static const struct {
        struct png_kind kind;
        unsigned char row[16]; /* of two equal pixels */
        unsigned char rgb[3];
    } cases[] = {
        {{PNG_COLOR_TYPE_GRAY, 1, 0}, {0xc0}, {255, 255, 255}},
        {{PNG_COLOR_TYPE_GRAY, 2, 0}, {0xa0}, {170, 170, 170}},
        {{PNG_COLOR_TYPE_GRAY, 4, 1}, {0x33}, {51, 51, 51}},
        {{PNG_COLOR_TYPE_GRAY, 8, 0}, {7, 7}, {7, 7, 7}},
        {{PNG_COLOR_TYPE_GRAY, 16, 0}, {100, 100, 100, 100}, {100, 100, 100}},
        {{PNG_COLOR_TYPE_GRAY_ALPHA, 8, 0}, {9, 0, 9, 0}, {9, 9, 9}},
        {{PNG_COLOR_TYPE_RGB, 8, 1}, {1, 2, 3, 1, 2, 3}, {1, 2, 3}},
        {{PNG_COLOR_TYPE_RGB, 16, 0}, {1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3}, {1, 2, 3}},
        {{PNG_COLOR_TYPE_RGB_ALPHA, 8, 1}, {4, 5, 6, 0, 4, 5, 6, 0}, {4, 5, 6}},
        {{PNG_COLOR_TYPE_PALETTE, 2, 0}, {0xf0}, {10, 20, 30}},
        {{PNG_COLOR_TYPE_PALETTE, 8, 0}, {0, 0}, {255, 0, 0}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const unsigned char *c = cases[i].rgb;
        unsigned char luma = (unsigned char)lround(0.299 * c[0] + 0.587 * c[1] + 0.114 * c[2]);
        const char *path = in_folder("kind.png");
        unsigned char rows[32];
        memcpy(rows, cases[i].row, 16);
        memcpy(rows + 16, cases[i].row, 16);
        write_png(path, &cases[i].kind, 2, 2, rows, 16);
        shows(path, 3, c, 0);
        shows(path, 1, &luma, 0);
    }
}

static void pixels_of_a_png_stay_in_place(void **state)
{
    static const struct png_kind kind = {PNG_COLOR_TYPE_RGB, 8, 1};
    unsigned char rows[5 * 7 * 3];
    (void)state;
    for (size_t i = 0; i < sizeof rows; i++)
        rows[i] = (unsigned char)(i * 2);
    write_png(in_folder("place.png"), &kind, 7, 5, rows, 21);
    struct nc_image image = opened(in_folder("place.png"), 3);
    assert_int_equal(image.width, 7);
    assert_int_equal(image.height, 5);
    assert_memory_equal(image.pixels, rows, sizeof rows);
    nc_image_close(&image);
}

/* ---- jpeg -------------------------------------------------------------------------------------- */

static void jpegs_of_every_kind_are_read(void **state)
{
    static const struct {
        struct jpeg_kind kind;
        unsigned char colour[4], rgb[3];
    } cases[] = {
        {{1, 0, 0, 0, 0}, {77}, {77, 77, 77}},
        {{3, 0, 0, 0, 0}, {200, 100, 50}, {200, 100, 50}},
        {{3, 1, 0, 0, 0}, {20, 200, 150}, {20, 200, 150}},
        {{3, 0, 1, 0, 0}, {10, 20, 230}, {10, 20, 230}},
        {{3, 0, 0, 0, 6}, {200, 100, 50}, {200, 100, 50}},
        {{4, 0, 0, 1, 0}, {200, 100, 50, 255}, {200, 100, 50}}, /* Adobe: 255 - ink */
        {{4, 0, 0, 1, 0}, {200, 100, 50, 128}, {100, 50, 25}},
        {{4, 0, 0, 0, 0}, {55, 155, 205, 0}, {200, 100, 50}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const unsigned char *c = cases[i].rgb;
        unsigned char luma = (unsigned char)lround(0.299 * c[0] + 0.587 * c[1] + 0.114 * c[2]);
        const char *path = in_folder("kind.jpg");
        write_jpeg(path, &cases[i].kind, 21, 13, cases[i].colour);
        shows(path, 3, c, 4);
        shows(path, 1, &luma, 4);
    }
}

static void exif_does_not_turn_pictures(void **state)
{
    static const struct jpeg_kind kind = {3, 0, 0, 0, 6};
    (void)state;
    write_jpeg(in_folder("turned.jpg"), &kind, 20, 10, (unsigned char[]){1, 2, 3});
    struct nc_image image = opened(in_folder("turned.jpg"), 3);
    assert_int_equal(image.width, 20);
    assert_int_equal(image.height, 10);
    nc_image_close(&image);
}

/* ---- framing ----------------------------------------------------------------------------------- */

static struct nc_image ramp(int width, int height, int channels)
{
    struct nc_image image = {width, height, channels,
                             malloc((size_t)width * (size_t)height * (size_t)channels)};
    for (int i = 0; i < width * height * channels; i++)
        image.pixels[i] = (unsigned char)((i * 37 + i / 5 * 11) % 256);
    return image;
}

static void framed(const struct nc_image *image, const struct nc_frame *frame, unsigned char *row)
{
    if (nc_image_frame(image, frame, row, "picture", &err) != 0)
        fail_msg("%s", err.message);
}

static void the_centre_is_cut_out(void **state)
{
    static const struct {
        int size, wanted, start;
    } cases[] = {{10, 4, 3}, {9, 4, 2}, {11, 4, 4}, {5, 5, 0}, {7, 2, 2}, {6, 5, 0}, {8, 5, 2}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int n = cases[i].size, wanted = cases[i].wanted, start = cases[i].start;
        struct nc_image image = ramp(n, n, 3);
        const struct nc_frame frame = {.height = wanted, .width = wanted, .channels = 3};
        unsigned char row[5 * 5 * 3];
        framed(&image, &frame, row);
        for (int y = 0; y < wanted; y++)
            assert_memory_equal(row + y * wanted * 3, image.pixels + ((y + start) * n + start) * 3,
                                (size_t)wanted * 3);
        nc_image_close(&image);
    }
}

/* What a resized value must be, by the definition: the triangle of the reach around it. */
static double sampled(const struct nc_image *image, double y, double x, double reach_y,
                      double reach_x, int c)
{
    double sum = 0, weights = 0;
    for (int v = 0; v < image->height; v++) {
        for (int u = 0; u < image->width; u++) {
            double w =
                fmax(0, 1 - fabs(v + 0.5 - y) / reach_y) * fmax(0, 1 - fabs(u + 0.5 - x) / reach_x);
            sum += w * image->pixels[(v * image->width + u) * image->channels + c];
            weights += w;
        }
    }
    return sum / weights;
}

static void check_resized(const struct nc_image *image, const struct nc_frame *frame, int resized_y,
                          int resized_x, int top, int left)
{
    double scale_y = (double)image->height / resized_y, scale_x = (double)image->width / resized_x;
    double reach_y = frame->antialias ? fmax(scale_y, 1) : 1;
    double reach_x = frame->antialias ? fmax(scale_x, 1) : 1;
    unsigned char row[30 * 30 * 3];
    framed(image, frame, row);
    for (int i = 0; i < frame->height * frame->width * frame->channels; i++) {
        int c = i % frame->channels, at = i / frame->channels;
        double y = (at / frame->width + top + 0.5) * scale_y;
        double x = (at % frame->width + left + 0.5) * scale_x;
        double want = sampled(image, y, x, reach_y, reach_x, c);
        if (fabs(row[i] - want) > 0.51)
            fail_msg("value %d is %d, not %g", i, row[i], want);
    }
}

static void pictures_are_resized(void **state)
{
    struct nc_image image = ramp(40, 25, 3), grey = ramp(9, 14, 1);
    (void)state;
    for (int antialias = 0; antialias < 2; antialias++) {
        struct nc_frame f = {.height = 12, .width = 17, .channels = 3, .antialias = antialias};
        f.resize_height = 12, f.resize_width = 17;
        check_resized(&image, &f, 12, 17, 0, 0);
        f.resize_height = 19, f.resize_width = 22; /* then 12 x 17 of it */
        check_resized(&image, &f, 19, 22, 4, 2);
        f.resize_height = 17, f.resize_width = 0; /* 17 x 27 */
        check_resized(&image, &f, 17, 27, 2, 5);
        struct nc_frame up = {.height = 30, .width = 20, .channels = 1, .antialias = antialias};
        up.resize_height = 20; /* 31 x 20 */
        check_resized(&grey, &up, 31, 20, 0, 0);
    }
    nc_image_close(&image);
    nc_image_close(&grey);
}

static void red_and_blue_change_places(void **state)
{
    struct nc_image image = ramp(3, 2, 3);
    const struct nc_frame frame = {.height = 2, .width = 3, .channels = 3, .bgr = 1};
    unsigned char row[18];
    (void)state;
    framed(&image, &frame, row);
    for (int i = 0; i < 18; i++)
        assert_int_equal(row[i], image.pixels[i - i % 3 + 2 - i % 3]);
    nc_image_close(&image);
}

static void small_pictures_are_refused(void **state)
{
    struct nc_image image = ramp(10, 30, 1);
    struct nc_frame frame = {.height = 12, .width = 12, .channels = 1};
    unsigned char row[144];
    (void)state;
    refused(nc_image_frame(&image, &frame, row, "small", &err),
            "30 x 10, smaller than the 12 x 12");
    frame.resize_height = 11;
    refused(nc_image_frame(&image, &frame, row, "small", &err), "33 x 11 when resized");
    nc_image_close(&image);
}

/* ---- damage ------------------------------------------------------------------------------------ */

/* No part of a file, but the whole, is a picture; and no changed byte does harm. */
static void damage(const char *path, const char *words)
{
    static unsigned char bytes[1 << 16], changed[1 << 16];
    struct nc_image image;
    size_t size = get(path, bytes, sizeof bytes);
    const char *name = "damaged";
    for (size_t cut = 1; cut + 2 < size; cut += 1 + cut / 40) {
        int result = nc_image_open(&image, put(name, bytes, cut), 3, &err);
        if (result == 0)
            fail_msg("%zu of %zu bytes are read", cut, size);
        assert_null(image.pixels);
        if (cut > 40)
            refused(result, words);
    }
    for (size_t at = 0; at < size; at += 3) {
        memcpy(changed, bytes, size);
        changed[at] ^= (unsigned char)(1 + at % 255);
        if (nc_image_open(&image, put(name, changed, size), 3, &err) == 0)
            nc_image_close(&image);
    }
}

static void damaged_pngs_are_refused(void **state)
{
    static const struct png_kind kind = {PNG_COLOR_TYPE_RGB, 8, 1};
    struct nc_image image = ramp(20, 20, 3);
    (void)state;
    write_png(in_folder("whole.png"), &kind, 20, 20, image.pixels, 60);
    nc_image_close(&image);
    damage(in_folder("whole.png"), "no readable PNG");
}

static void damaged_jpegs_are_refused(void **state)
{
    static const struct jpeg_kind kinds[] = {{3, 0, 0, 0, 0}, {3, 1, 0, 0, 3}, {4, 0, 0, 1, 0}};
    (void)state;
    write_colours(in_folder("noisy"), 2, 5);
    damage(in_folder("noisy/red/01.JPG"), "no readable JPEG");
    for (int i = 0; i < 3; i++) {
        write_jpeg(in_folder("whole.jpg"), &kinds[i], 30, 20, (unsigned char[]){9, 90, 200, 99});
        damage(in_folder("whole.jpg"), "no readable JPEG");
    }
}

/* A header that promises more than anyone can hold */
static void huge_pictures_are_refused(void **state)
{
    static const struct png_kind kind = {PNG_COLOR_TYPE_GRAY, 8, 0};
    static const unsigned char sizes[][8] = {{0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff},
                                             {0, 0, 0x40, 1, 0, 0, 0, 1},
                                             {0, 0, 0x40, 0, 0, 0, 0x40, 0}};
    unsigned char bytes[4096];
    struct nc_image image;
    (void)state;
    write_png(in_folder("huge.png"), &kind, 1, 1, (unsigned char[]){0}, 1);
    size_t size = get(in_folder("huge.png"), bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        memcpy(bytes + 16, sizes[i], 8);
        uint32_t crc = (uint32_t)crc32(0, bytes + 12, 17);
        for (int k = 0; k < 4; k++)
            bytes[29 + k] = (unsigned char)(crc >> (24 - 8 * k));
        refused(nc_image_open(&image, put("huge.png", bytes, size), 1, &err), "too large");
    }
    static const struct jpeg_kind jpeg = {1, 0, 0, 0, 0};
    write_jpeg(in_folder("huge.jpg"), &jpeg, 8, 8, (unsigned char[]){0});
    size = get(in_folder("huge.jpg"), bytes, sizeof bytes);
    for (size_t i = 0; i + 9 < size; i++) {
        if (bytes[i] == 0xff && bytes[i + 1] == 0xc0)
            memset(bytes + i + 5, 0xff, 4);
    }
    refused(nc_image_open(&image, put("huge.jpg", bytes, size), 1, &err), "JPEG");
}

static void other_files_are_refused(void **state)
{
    struct nc_image image;
    (void)state;
    refused(nc_image_open(&image, put("x", "GIF89a", 6), 3, &err), "a GIF file");
    refused(nc_image_open(&image, put("x", "RIFF    WEBP", 12), 3, &err), "WebP");
    refused(nc_image_open(&image, put("x", "hello", 5), 3, &err), "neither a PNG nor a JPEG");
    refused(nc_image_open(&image, put("x", "\xff\xd8\xff\xd9", 4), 3, &err), "no readable JPEG");
    refused(nc_image_open(&image, put("x", "", 0), 3, &err), "empty");
    refused(nc_image_open(&image, in_folder("absent"), 3, &err), "cannot be opened");
    refused(nc_image_open(&image, folder, 3, &err), "not a regular file");
}

/* ---- folders ----------------------------------------------------------------------------------- */

static void folders_are_sorted(void **state)
{
    struct nc_images list = {0};
    char **names;
    int count;
    (void)state;
    write_colours(in_folder("set"), 3, 1);
    put("set/readme.txt", "x", 1);
    put("set/.hidden.png", "x", 1);
    mkdir(in_folder("set/.git"), 0777);
    mkdir(in_folder("set/red/more"), 0777);
    put("set/red/more/a.jpeg", "x", 1);
    assert_int_equal(nc_folder_classes(in_folder("set"), &names, &count, &err), 0);
    assert_int_equal(count, 3);
    assert_string_equal(names[0], "blue");
    assert_string_equal(names[1], "green");
    assert_string_equal(names[2], "red");
    nc_names_free(names, count);
    assert_int_equal(nc_images_add(&list, in_folder("set/red"), &err), 0);
    assert_int_equal(list.count, 4);
    for (int i = 0; i < 4; i++) {
        static const char *const ends[] = {"/00.png", "/01.JPG", "/02.png", "/more/a.jpeg"};
        const char *path = list.paths[i];
        assert_string_equal(path + strlen(path) - strlen(ends[i]), ends[i]);
    }
    nc_images_free(&list);
    put("set/red/more/b.webp", "x", 1);
    refused(nc_images_add(&list, in_folder("set/red"), &err), "only PNG and JPEG");
    nc_images_free(&list);
    mkdir(in_folder("bare"), 0777);
    refused(nc_folder_classes(in_folder("bare"), &names, &count, &err), "no sub-folders");
    refused(nc_images_find(&list, in_folder("bare"), &err), "no PNG or JPEG");
    refused(nc_folder_classes(in_folder("absent"), &names, &count, &err), "cannot be opened");
    nc_images_free(&list);
}

static void rows_are_decoded_once_and_alike(void **state)
{
    struct nc_images list = {0};
    struct nc_array array;
    const struct nc_frame frame = {
        .height = 6, .width = 6, .channels = 3, .resize_height = 6, .resize_width = 6};
    enum { COUNT = 24, ROW = 6 * 6 * 3 };
    static float first[COUNT * ROW], again[COUNT * ROW];
    uint32_t index[COUNT];
    struct nc_pool *pool = nc_pool_new(3);
    (void)state;
    write_colours(in_folder("rows"), COUNT / 3, 9);
    for (uint32_t i = 0; i < COUNT; i++)
        index[i] = i;
    assert_int_equal(nc_images_find(&list, in_folder("rows"), &err), 0);
    assert_int_equal(nc_images_open(&array, &list, &frame, &err), 0);
    assert_int_equal(array.shape[0], COUNT);
    assert_int_equal(nc_array_read(&array, index, COUNT, first, sizeof *first, NULL, &err), 0);
    unlink(in_folder("rows/red/00.png")); /* it is kept */
    assert_int_equal(
        nc_array_read(&array, index, COUNT, again, sizeof *again, nc_pool_env(pool), &err), 0);
    assert_memory_equal(first, again, sizeof first);
    nc_array_close(&array);
    put("rows/blue/03.JPG", "GIF8", 4);
    assert_int_equal(nc_images_find(&list, in_folder("rows"), &err), 0);
    assert_int_equal(nc_images_open(&array, &list, &frame, &err), 0);
    refused(nc_array_read(&array, index, COUNT - 1, again, sizeof *again, nc_pool_env(pool), &err),
            "a GIF file");
    assert_non_null(strstr(err.path, "rows/blue/03.JPG"));
    nc_array_close(&array);
    nc_pool_free(pool);
}

static void without_their_plugins_pictures_are_refused(void **state)
{
    char self[256], command[400];
    (void)state;
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(length > 0);
    self[length] = '\0';
    write_colours(in_folder("lone"), 1, 1);
    snprintf(command, sizeof command, "NETCC_PLUGINS=/nowhere %s --open %s/lone/red/00.png", self,
             folder);
    FILE *pipe = popen(command, "r");
    char line[600] = "";
    assert_non_null(pipe);
    assert_non_null(fgets(line, sizeof line, pipe));
    pclose(pipe);
    assert_non_null(strstr(line, "PNG pictures need libpng and the plugin png.so"));
}

static void the_photographs_are_read(void **state)
{
    char path[1024];
    const char *root = getenv("NETCC_DATA");
    struct nc_images list = {0};
    (void)state;
    snprintf(path, sizeof path, "%s/images", root && *root ? root : "../shared/data");
    if (access(path, R_OK) != 0) {
        printf("SKIP photographs: %s is not there\n", path);
        skip();
    }
    assert_int_equal(nc_images_find(&list, path, &err), 0);
    assert_int_equal(list.count, 240 + 11 + 57 + 10);
    for (int64_t i = 0; i < list.count; i += 7) {
        struct nc_image image = opened(list.paths[i], 3);
        nc_image_close(&image);
    }
    nc_images_free(&list);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pngs_of_every_kind_are_read),
        cmocka_unit_test(pixels_of_a_png_stay_in_place),
        cmocka_unit_test(jpegs_of_every_kind_are_read),
        cmocka_unit_test(exif_does_not_turn_pictures),
        cmocka_unit_test(the_centre_is_cut_out),
        cmocka_unit_test(pictures_are_resized),
        cmocka_unit_test(red_and_blue_change_places),
        cmocka_unit_test(small_pictures_are_refused),
        cmocka_unit_test(damaged_pngs_are_refused),
        cmocka_unit_test(damaged_jpegs_are_refused),
        cmocka_unit_test(huge_pictures_are_refused),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(folders_are_sorted),
        cmocka_unit_test(rows_are_decoded_once_and_alike),
        cmocka_unit_test(without_their_plugins_pictures_are_refused),
        cmocka_unit_test(the_photographs_are_read),
    };
    struct nc_image image;
    if (argc == 5 && strcmp(argv[1], "--write") == 0) {
        write_colours(argv[2], atoi(argv[3]), (unsigned)atoi(argv[4]));
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "--open") == 0) {
        int result = nc_image_open(&image, argv[2], 3, &err);
        puts(result == 0 ? "opened" : err.message);
        return result != 0;
    }
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
