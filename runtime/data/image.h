/* Pictures: PNG and JPEG files as rows of bytes, height by width by channels.
 *
 * A file is decoded to 8 bits a channel and then framed: resized, and its centre cut out, so that it
 * fills a row. What comes after, as scaling, belongs to the model. */
#ifndef NC_IMAGE_H
#define NC_IMAGE_H

#include "plugin.h"

enum { NC_IMAGE_SIDE = 1 << 14, NC_IMAGE_PIXELS = 1 << 26 }; /* the largest that is read */

struct nc_image {
    int width, height, channels; /* 1: grey, 3: RGB */
    unsigned char *pixels;       /* rows without gaps; malloc'ed */
};

/* How a picture fills a row. Both resize sizes 0: it is not resized; resize_width 0: resize_height
 * becomes its short side. */
struct nc_frame {
    int height, width, channels; /* of the row; channels 1 or 3 */
    int resize_height, resize_width;
    int antialias; /* a shrunk picture's pixels are means of all that they cover */
    int bgr;
};

/* Rows of the port's shape, resized to that; 0, or -1 with err where it holds no pictures. */
int nc_frame_of_port(struct nc_frame *frame, const struct nc_port *port, struct nc_error *err);

/* Decodes a file, whatever its name, to 1 or 3 channels: grey pictures are spread over three, colours
 * become their luma, alpha is dropped, 16 bits become 8. EXIF orientation is not applied. */
int nc_image_open(struct nc_image *out, const char *path, int channels, struct nc_error *err);
void nc_image_close(struct nc_image *image);

/* The tables of the plugins png.so and jpeg.so: one format each, from memory. */
struct nc_image_plugin {
    struct nc_plugin plugin;
    int (*decode)(struct nc_image *out, const unsigned char *bytes, size_t size, int channels,
                  const char *path, struct nc_error *err);
};
NC_PLUGIN_EXPORT extern const struct nc_image_plugin nc_plugin_png, nc_plugin_jpeg;

/* For them: memory for an image of that size, which must be reasonable. */
int nc_image_new(struct nc_image *out, uint32_t width, uint32_t height, int channels,
                 const char *path, struct nc_error *err);
/* From `have` channels (1 or 3) to image->channels, over n pixels. */
void nc_image_convert(const struct nc_image *image, const unsigned char *in, int have,
                      unsigned char *out, int n);

/* Fills a row by bilinear sampling, pixel centres half a pixel in. -1 where the resized picture is
 * smaller than the row. */
int nc_image_frame(const struct nc_image *image, const struct nc_frame *frame, unsigned char *row,
                   const char *path, struct nc_error *err);

/* Does the name end as pictures' do? */
int nc_image_named(const char *path);

/* ---- folders ----------------------------------------------------------------------------------- */

/* The sub-folders of a folder, sorted by their bytes; hidden ones are left out. Free with
 * nc_names_free. */
int nc_folder_classes(const char *folder, char ***names, int *count, struct nc_error *err);

/* Pictures by their paths. */
struct nc_images {
    char **paths;
    int64_t count, room;
};
/* Adds all pictures in a folder and below it, sorted by path; other files are left out, but pictures
 * in formats that are not read are errors. */
int nc_images_add(struct nc_images *list, const char *folder, struct nc_error *err);
int nc_images_add_path(struct nc_images *list, const char *path, struct nc_error *err);
void nc_images_free(struct nc_images *list);

/* A file, or all pictures in a folder and below it. */
int nc_images_find(struct nc_images *list, const char *path, struct nc_error *err);

/* An array [count, height, width, channels] of uint8 whose rows are decoded when they are asked for;
 * small sets are kept once decoded. Takes the list's paths, also where it fails. */
int nc_images_open(struct nc_array *out, struct nc_images *list, const struct nc_frame *frame,
                   struct nc_error *err);

#endif
