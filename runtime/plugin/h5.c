/* The plugin h5.so: libhdf5 reads a file and reports what is in it (h5.h has the form).
 *
 * A hostile file may lead elsewhere or grow: links to other files, external and virtual storage and
 * filters other than zlib's are refused or passed over, and an array must be stored in as many
 * bytes as its size asks for, zlib's best ratio granted. */
#include "data/h5_plugin.h"

#include <hdf5.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { DEEPEST = 24, MOST_OBJECTS = 200000, MOST_TEXTS = 1000000, LONGEST_PATH = 4000 };
enum { DEFLATE_RATIO = 1032, PAGE = 4096 };
#define TEXT_LIMIT ((size_t)1 << 28)

struct reporter {
    FILE *out;
    int values; /* descriptor of converted arrays */
    int64_t values_bytes;
    int objects;
    char path[LONGEST_PATH]; /* of the object at hand */
    char why[400];           /* the fault, or "" */
};

static void put_number(struct reporter *r, int64_t number)
{
    fwrite(&number, sizeof number, 1, r->out);
}

static void put_text(struct reporter *r, const char *text, size_t length)
{
    put_number(r, (int64_t)length);
    fwrite(text, 1, length, r->out);
    fputc('\0', r->out);
}

/* The innermost entry of libhdf5's error stack says most. */
static herr_t take_description(unsigned n, const H5E_error2_t *entry, void *text)
{
    if (n == 0)
        snprintf(text, 200, "%s", entry->desc ? entry->desc : "");
    return 0;
}

static int fail(struct reporter *r, const char *what)
{
    char cause[200] = "";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_description, cause);
    if (!r->why[0])
        snprintf(r->why, sizeof r->why, "%.150s: %s%s%.190s", r->path[0] ? r->path : "/", what,
                 cause[0] ? ": " : "", cause);
    return -1;
}

/* ---- texts ------------------------------------------------------------------------------------ */

/* What follows is read before the record begins: a report has whole records only. */
static void begin_texts(struct reporter *r, const char *name, hsize_t count)
{
    fputc('T', r->out);
    put_text(r, r->path, strlen(r->path));
    put_text(r, name, strlen(name));
    put_number(r, (int64_t)count);
}

static int put_variable_texts(struct reporter *r, hid_t attribute, const char *name, hsize_t count)
{
    static const H5T_cset_t sets[] = {H5T_CSET_UTF8, H5T_CSET_ASCII};
    char **texts = calloc(count, sizeof *texts);
    hid_t type = H5Tcopy(H5T_C_S1);
    herr_t got = -1;
    H5Tset_size(type, H5T_VARIABLE);
    for (int i = 0; texts && got < 0 && i < 2; i++) {
        H5Tset_cset(type, sets[i]);
        got = H5Aread(attribute, type, texts);
    }
    if (got < 0)
        return fail(r, "an attribute cannot be read");
    begin_texts(r, name, count);
    for (hsize_t i = 0; i < count; i++)
        put_text(r, texts[i] ? texts[i] : "", texts[i] ? strlen(texts[i]) : 0);
    return 0;
}

static int put_fixed_texts(struct reporter *r, hid_t attribute, const char *name, hid_t type,
                           hsize_t count)
{
    size_t size = H5Tget_size(type);
    if (size == 0 || size > TEXT_LIMIT / count)
        return fail(r, "an attribute is too long");
    char *texts = malloc(size * count + 1);
    if (!texts || H5Aread(attribute, type, texts) < 0)
        return fail(r, "an attribute cannot be read");
    begin_texts(r, name, count);
    for (hsize_t i = 0; i < count; i++)
        put_text(r, texts + i * size, strnlen(texts + i * size, size));
    free(texts);
    return 0;
}

/* Lists of nothing are told whatever their type: h5py gives them a number's. */
static int put_attribute(struct reporter *r, hid_t attribute, const char *name)
{
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    hssize_t count = space < 0 ? -1 : H5Sget_simple_extent_npoints(space);
    int result = 0;
    if (type < 0 || count < 0)
        result = fail(r, "an attribute cannot be read");
    else if (count > MOST_TEXTS)
        result = fail(r, "an attribute has too many values");
    else if (count == 0)
        begin_texts(r, name, 0);
    else if (H5Tget_class(type) == H5T_STRING)
        result = H5Tis_variable_str(type) > 0
                     ? put_variable_texts(r, attribute, name, (hsize_t)count)
                     : put_fixed_texts(r, attribute, name, type, (hsize_t)count);
    H5Sclose(space);
    H5Tclose(type);
    return result;
}

static herr_t visit_attribute(hid_t object, const char *name, const H5A_info_t *info, void *context)
{
    struct reporter *r = context;
    (void)info;
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    int result = attribute < 0 ? fail(r, "an attribute cannot be opened")
                               : put_attribute(r, attribute, name);
    if (attribute >= 0)
        H5Aclose(attribute);
    return result;
}

/* ---- arrays ----------------------------------------------------------------------------------- */

/* IEEE's half precision, or bfloat16, which libhdf5 has no name for. */
static hid_t half_type(size_t exponent_bits)
{
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    size_t mantissa = 15 - exponent_bits;
    H5Tset_fields(type, 15, mantissa, exponent_bits, 0, mantissa);
    H5Tset_size(type, 2);
    H5Tset_ebias(type, ((size_t)1 << (exponent_bits - 1)) - 1);
    return type;
}

/* The dtype of what is stored as one of ours, or -1. */
static int find_dtype(hid_t type, int *big_endian)
{
    const struct {
        hid_t little, big;
        enum nc_dtype dtype;
    } types[] = {{H5T_IEEE_F32LE, H5T_IEEE_F32BE, NC_F32},
                 {H5T_IEEE_F64LE, H5T_IEEE_F64BE, NC_F64},
                 {H5T_STD_I8LE, H5T_STD_I8BE, NC_I8},
                 {H5T_STD_U8LE, H5T_STD_U8BE, NC_U8},
                 {H5T_STD_I16LE, H5T_STD_I16BE, NC_I16},
                 {H5T_STD_U16LE, H5T_STD_U16BE, NC_U16},
                 {H5T_STD_I32LE, H5T_STD_I32BE, NC_I32},
                 {H5T_STD_U32LE, H5T_STD_U32BE, NC_U32},
                 {H5T_STD_I64LE, H5T_STD_I64BE, NC_I64},
                 {H5T_STD_U64LE, H5T_STD_U64BE, NC_U64},
                 {half_type(5), -1, NC_F16},
                 {half_type(8), -1, NC_BF16}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        *big_endian = types[i].big >= 0 && H5Tequal(type, types[i].big) > 0;
        if (*big_endian || H5Tequal(type, types[i].little) > 0)
            return (int)types[i].dtype;
    }
    return -1;
}

/* Reads the array as float32 into the file of values. */
static int convert(struct reporter *r, hid_t dataset, int64_t elements, int64_t *offset)
{
    size_t bytes = (size_t)elements * sizeof(float);
    *offset = r->values_bytes;
    r->values_bytes += ((int64_t)bytes + PAGE - 1) / PAGE * PAGE;
    if (ftruncate(r->values, r->values_bytes) != 0)
        return fail(r, "out of memory");
    void *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r->values, *offset);
    if (room == MAP_FAILED)
        return fail(r, "out of memory");
    int result = H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, room) < 0
                     ? fail(r, "its values cannot be read")
                     : 0;
    munmap(room, bytes);
    return result;
}

/* Filters that libhdf5 has built in, and no storage in other files. */
static int check_storage(struct reporter *r, hid_t plist)
{
    H5D_layout_t layout = H5Pget_layout(plist);
    if (layout == H5D_VIRTUAL || H5Pget_external_count(plist) > 0)
        return fail(r, "its values lie in another file");
    int filters = layout == H5D_CHUNKED ? H5Pget_nfilters(plist) : 0;
    for (int i = 0; i < filters; i++) {
        unsigned flags, config;
        size_t none = 0;
        H5Z_filter_t filter =
            H5Pget_filter2(plist, (unsigned)i, &flags, &none, NULL, 0, NULL, &config);
        if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE &&
            filter != H5Z_FILTER_FLETCHER32)
            return fail(r, "its compression is not supported");
    }
    return 0;
}

struct extent {
    int rank;
    hsize_t shape[H5S_MAX_RANK];
    int64_t elements;
};

static int measure(struct reporter *r, hid_t dataset, struct extent *out)
{
    hid_t space = H5Dget_space(dataset);
    out->rank = space < 0 ? -1 : H5Sget_simple_extent_dims(space, out->shape, NULL);
    H5Sclose(space);
    if (out->rank < 0)
        return fail(r, "its shape cannot be read");
    out->elements = 1;
    for (int i = 0; i < out->rank; i++) {
        if (out->shape[i] > INT64_MAX ||
            __builtin_mul_overflow(out->elements, (int64_t)out->shape[i], &out->elements))
            return fail(r, "its shape overflows");
    }
    return 0;
}

/* What is declared must be there. */
static int check_size(struct reporter *r, hid_t dataset, int64_t elements, size_t unit)
{
    int64_t bytes;
    hsize_t stored = H5Dget_storage_size(dataset);
    if (__builtin_mul_overflow(elements, (int64_t)(unit > sizeof(float) ? unit : sizeof(float)),
                               &bytes))
        return fail(r, "its shape overflows");
    if ((hsize_t)elements * unit / DEFLATE_RATIO > stored || (elements && !stored))
        return fail(r, "it declares more values than are stored");
    return 0;
}

static int put_array(struct reporter *r, hid_t dataset, hid_t type)
{
    struct extent e;
    hid_t plist = H5Dget_create_plist(dataset);
    int big_endian = 0, dtype = find_dtype(type, &big_endian);
    int64_t offset = 0, source = 0;
    if (plist < 0 || check_storage(r, plist) != 0 || measure(r, dataset, &e) != 0 ||
        check_size(r, dataset, e.elements, H5Tget_size(type)) != 0)
        return fail(r, "it cannot be opened");
    haddr_t address = H5Pget_layout(plist) == H5D_CONTIGUOUS ? H5Dget_offset(dataset) : HADDR_UNDEF;
    H5Pclose(plist);
    if (dtype >= 0 && address != HADDR_UNDEF) {
        offset = (int64_t)address;
    } else if (e.elements) {
        dtype = NC_F32;
        big_endian = 0;
        source = 1;
        if (convert(r, dataset, e.elements, &offset) != 0)
            return -1;
    }
    fputc('A', r->out);
    put_text(r, r->path, strlen(r->path));
    put_number(r, dtype < 0 ? NC_F32 : dtype);
    put_number(r, big_endian);
    put_number(r, e.rank);
    for (int i = 0; i < e.rank; i++)
        put_number(r, (int64_t)e.shape[i]);
    put_number(r, source);
    put_number(r, offset);
    return 0;
}

/* Arrays of anything but numbers are passed over. */
static int report_dataset(struct reporter *r, hid_t dataset)
{
    hid_t type = H5Dget_type(dataset);
    if (type < 0)
        return fail(r, "its type cannot be read");
    H5T_class_t class = H5Tget_class(type);
    int result = class == H5T_FLOAT || class == H5T_INTEGER ? put_array(r, dataset, type) : 0;
    H5Tclose(type);
    return result;
}

/* ---- objects ---------------------------------------------------------------------------------- */

static int report_group(struct reporter *r, hid_t group, int depth);

static int report_object(struct reporter *r, hid_t object, int depth)
{
    if (++r->objects > MOST_OBJECTS)
        return fail(r, "the file has too many objects");
    switch (H5Iget_type(object)) {
    case H5I_GROUP:
        return report_group(r, object, depth);
    case H5I_DATASET:
        return report_dataset(r, object);
    default:
        return 0;
    }
}

/* State of an optimizer is not looked at. */
static int is_passed_over(const struct reporter *r)
{
    return !strcmp(r->path, "/optimizer_weights") || !strcmp(r->path, "/optimizer");
}

struct walk {
    struct reporter *reporter;
    int depth;
};

static herr_t visit_link(hid_t group, const char *name, const H5L_info_t *link, void *context)
{
    struct walk *walk = context;
    struct reporter *r = walk->reporter;
    size_t length = strlen(r->path);
    if (link->type != H5L_TYPE_HARD)
        return 0;
    if (length + strlen(name) + 2 > sizeof r->path)
        return fail(r, "its name is too long");
    sprintf(r->path + length, "/%s", name);
    if (!is_passed_over(r)) {
        hid_t object = H5Oopen(group, name, H5P_DEFAULT);
        int result =
            object < 0 ? fail(r, "it cannot be opened") : report_object(r, object, walk->depth);
        if (object >= 0)
            H5Oclose(object);
        if (result != 0)
            return -1;
    }
    r->path[length] = '\0';
    return 0;
}

static int report_group(struct reporter *r, hid_t group, int depth)
{
    struct walk walk = {r, depth + 1};
    if (depth >= DEEPEST)
        return fail(r, "groups are nested too deeply");
    if (H5Aiterate2(group, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_attribute, r) < 0)
        return fail(r, "its attributes cannot be read");
    if (H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_link, &walk) < 0)
        return fail(r, "its members cannot be read");
    return 0;
}

/* A file in memory is read where it lies: libhdf5 gets at it through these and copies nothing. */

static void *image_itself(size_t size, H5FD_file_image_op_t operation, void *image)
{
    (void)size;
    (void)operation;
    return image;
}

static void *image_copy(void *to, const void *from, size_t size, H5FD_file_image_op_t operation,
                        void *image)
{
    (void)to;
    (void)from;
    (void)size;
    (void)operation;
    return image;
}

static herr_t image_free(void *at, H5FD_file_image_op_t operation, void *image)
{
    (void)at;
    (void)operation;
    (void)image;
    return 0;
}

static void *image_data_copy(void *image)
{
    return image;
}

static herr_t image_data_free(void *image)
{
    (void)image;
    return 0;
}

static hid_t image_access(void *image, size_t bytes)
{
    H5FD_file_image_callbacks_t calls = {image_itself,    image_copy,      NULL, image_free,
                                         image_data_copy, image_data_free, image};
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (H5Pset_fapl_core(access, PAGE, 0) < 0 || H5Pset_file_image_callbacks(access, &calls) < 0 ||
        H5Pset_file_image(access, image, bytes) < 0)
        return -1;
    return access;
}

static int report_file(struct reporter *r, const char *path, hid_t access)
{
    hid_t file = access < 0 ? -1 : H5Fopen(path, H5F_ACC_RDONLY, access);
    if (file < 0)
        return fail(r, "not an HDF5 file that libhdf5 opens");
    hid_t root = H5Gopen2(file, "/", H5P_DEFAULT);
    return root < 0 ? fail(r, "it cannot be opened") : report_group(r, root, 0);
}

/* The child ends after it, so nothing is closed. */
static void report(const char *file, const void *image, size_t bytes, int out, int values)
{
    struct reporter *r = calloc(1, sizeof *r);
    if (!r)
        return;
    r->values = values;
    r->out = fdopen(out, "wb");
    if (!r->out)
        return;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5PLset_loading_state(0);
    hid_t access = file ? H5P_DEFAULT : image_access((void *)(uintptr_t)image, bytes);
    if (report_file(r, file ? file : "image", access) == 0) {
        fputc('Z', r->out);
    } else {
        fputc('E', r->out);
        put_text(r, r->why, strlen(r->why));
    }
    fflush(r->out);
}

const struct nc_h5_plugin nc_plugin_h5 = {{NC_PLUGIN_ABI}, report, nc_h5_write};
