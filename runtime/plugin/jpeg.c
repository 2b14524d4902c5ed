/* jpeg: the plugin jpeg.so, through libjpeg-turbo, with the decoder's defaults (accurate integer DCT, smooth upsampling),
 * which are everyone's. Data that end early or are broken inside are errors, as half a picture would
 * teach a network nothing; oddities that leave the pixels whole are let pass. */
#include "data/image.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

enum { MOST_SCANS = 500 }; /* of a progressive picture; real ones have about ten */

struct reading {
    struct jpeg_error_mgr errors; /* first: the library hands it back */
    struct jpeg_progress_mgr progress;
    struct jpeg_decompress_struct jpeg;
    jmp_buf jump;
    unsigned char *line; /* as the library gives it */
    struct nc_image *out;
    const char *path;
    struct nc_error *err;
};

static void fail_now(struct reading *r, const char *message)
{
    nc_fail(r->err, r->path, "no readable JPEG: %s", message);
    longjmp(r->jump, 1);
}

static void stop(j_common_ptr jpeg)
{
    char message[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, message);
    fail_now((struct reading *)jpeg->err, message);
}

/* Level -1 is a warning, above that come traces. */
static void warn(j_common_ptr jpeg, int level)
{
    static const int spoils[] = {JWRN_ARITH_BAD_CODE, JWRN_HIT_MARKER, JWRN_HUFF_BAD_CODE,
                                 JWRN_JPEG_EOF, JWRN_MUST_RESYNC};
    for (size_t i = 0; level < 0 && i < sizeof spoils / sizeof *spoils; i++) {
        if (jpeg->err->msg_code == spoils[i])
            stop(jpeg);
    }
}

static void count_scans(j_common_ptr jpeg)
{
    struct reading *r = (struct reading *)jpeg->err;
    if (r->jpeg.input_scan_number > MOST_SCANS)
        fail_now(r, "more scans than a picture needs");
}

/* What the library is to convert to: grey, RGB, or CMYK, which it cannot convert further. */
static void choose_colours(struct reading *r)
{
    struct jpeg_decompress_struct *j = &r->jpeg;
    int grey = j->jpeg_color_space == JCS_GRAYSCALE;
    if (j->jpeg_color_space == JCS_UNKNOWN)
        fail_now(r, "its colours are of no known kind");
    if (j->jpeg_color_space == JCS_CMYK || j->jpeg_color_space == JCS_YCCK)
        j->out_color_space = JCS_CMYK;
    else if (grey || (r->out->channels == 1 && j->jpeg_color_space == JCS_YCbCr))
        j->out_color_space = JCS_GRAYSCALE;
    else
        j->out_color_space = JCS_RGB;
}

/* Adobe's programs store ink as 255 - ink. */
static void print_colours(const struct reading *r, unsigned char *line, int n)
{
    int invert = r->jpeg.saw_Adobe_marker ? 0 : 255;
    for (int i = 0; i < n; i++) {
        int black = line[4 * i + 3] ^ invert;
        for (int c = 0; c < 3; c++)
            line[3 * i + c] = (unsigned char)(((line[4 * i + c] ^ invert) * black + 127) / 255);
    }
}

static void read_lines(struct reading *r)
{
    struct jpeg_decompress_struct *j = &r->jpeg;
    int width = r->out->width, have = j->output_components;
    while (j->output_scanline < j->output_height) {
        unsigned char *to =
            r->out->pixels + (size_t)j->output_scanline * (size_t)width * (size_t)r->out->channels;
        jpeg_read_scanlines(j, &r->line, 1);
        if (have == 4)
            print_colours(r, r->line, width);
        nc_image_convert(r->out, r->line, have == 1 ? 1 : 3, to, width);
    }
}

static int read_picture(struct reading *r, const unsigned char *bytes, size_t size, int channels)
{
    struct jpeg_decompress_struct *j = &r->jpeg;
    if (setjmp(r->jump))
        return -1;
    jpeg_create_decompress(j);
    r->progress.progress_monitor = count_scans;
    j->progress = &r->progress;
    jpeg_mem_src(j, bytes, (unsigned long)size);
    jpeg_read_header(j, TRUE);
    if (nc_image_new(r->out, j->image_width, j->image_height, channels, r->path, r->err) != 0)
        return -1;
    choose_colours(r);
    jpeg_start_decompress(j);
    r->line = malloc((size_t)j->output_width * 4);
    if (!r->line)
        fail_now(r, "out of memory");
    read_lines(r);
    jpeg_finish_decompress(j);
    return 0;
}

static int decode_jpeg(struct nc_image *out, const unsigned char *bytes, size_t size, int channels,
                       const char *path, struct nc_error *err)
{
    struct reading *r = calloc(1, sizeof *r);
    if (!r)
        return nc_fail(err, path, "out of memory");
    r->jpeg.err = jpeg_std_error(&r->errors);
    r->errors.error_exit = stop;
    r->errors.emit_message = warn;
    r->out = out;
    r->path = path;
    r->err = err;
    int result = read_picture(r, bytes, size, channels);
    jpeg_destroy_decompress(&r->jpeg);
    free(r->line);
    free(r);
    return result;
}

const struct nc_image_plugin nc_plugin_jpeg = {{NC_PLUGIN_ABI}, decode_jpeg};
