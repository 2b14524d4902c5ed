/* weights: parameters between their packed layout in memory and their canonical one (row-major,
 * Keras's shapes and names), and the files that hold them. */
#ifndef NC_WEIGHTS_H
#define NC_WEIGHTS_H

#include "weight_file.h"

/* `block` is the weights block, or for a slot the state block, of the parameter's model; canonical
 * values are always float. Packing writes zeros into the padding. */
void nc_pack(const struct nc_parameter *parameter, size_t real_bytes, const float *canonical,
             void *block);
void nc_unpack(const struct nc_parameter *parameter, size_t real_bytes, const void *block,
               float *canonical);
/* Where canonical element e lies, in elements from the start of the block. */
int64_t nc_packed_index(const struct nc_parameter *parameter, int64_t e);

/* The parameter or slot of a name, or NULL. */
const struct nc_parameter *nc_find_parameter(const struct nc_model *model, const char *name);

/* What in a file does not fit a model, a line each; a longer list is cut. */
struct nc_misfit {
    int missing, extra, differing;
    size_t length;
    char text[3000];
};

/* Weights and moving statistics as float32 safetensors with metadata (pairs of strings). */
int nc_weights_save(const struct nc_model *model, const void *weights, const char *path,
                    const char *const *metadata, int metadata_count, struct nc_error *err);
/* From an open file, by name, in canonical layout. -1 with err; where names or shapes are at fault,
 * misfit says which and `weights` is as it was. */
int nc_weights_take(const struct nc_model *model, void *weights, const struct nc_weight_file *file,
                    struct nc_misfit *misfit, struct nc_error *err);
/* The same from a file of any format. */
int nc_weights_load(const struct nc_model *model, void *weights, const char *path,
                    struct nc_misfit *misfit, struct nc_error *err);

/* The parameters of a model, unpacked to be written; with `state` its optimizer's slots as well. */
struct nc_tensors {
    struct nc_named *list;
    int count;
    float *values;
};
int nc_tensors_unpack(struct nc_tensors *out, const struct nc_model *model, const void *weights,
                      const void *state, struct nc_error *err);
void nc_tensors_free(struct nc_tensors *tensors);

/* The first parameter that holds a NaN or an infinity, or NULL. */
const char *nc_weights_not_finite(const struct nc_model *model, const void *weights);

/* "[784, 128]" */
enum { NC_SHAPE_TEXT = 24 * NC_MAX_RANK };
const char *nc_shape_text(int rank, const int64_t *shape, char text[NC_SHAPE_TEXT]);

#endif
