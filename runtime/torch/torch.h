/* Private: PyTorch's files of tensors, in three forms: a zip archive with a pickle and a member for
 * each storage (since 1.6), pickles with the storages behind them (before), and a tar archive of
 * pickles and storages (before 0.4). */
#ifndef NC_TORCH_H
#define NC_TORCH_H

#include "data/zip.h"
#include "torch/pickle.h"
#include "weight_file.h"

/* Where a storage's elements lie; sorted by key. */
struct nc_torch_run {
    const char *key;
    size_t key_length;
    enum nc_dtype dtype;
    int64_t elements;
    const unsigned char *data;
};

/* What an open file keeps. */
struct nc_torch {
    struct nc_pickle pickle;
    struct nc_zip zip;
    unsigned char *bytes; /* of a zip's pickle */
    char *folder;         /* of a zip's members, with the slash; NULL: another form */
    int big_endian;
    struct nc_torch_run *runs; /* of the other forms */
    int64_t runs_count;
};

/* Each reads one form as far as the value of the pickle: NULL with err. The first gets the members of
 * the archive. */
const struct nc_pickle_value *nc_torch_zip(struct nc_torch *torch, const char *path,
                                           struct nc_error *err);
const struct nc_pickle_value *nc_torch_legacy(struct nc_torch *torch, const char *path,
                                              const unsigned char *bytes, size_t size,
                                              struct nc_error *err);
const struct nc_pickle_value *nc_torch_tar(struct nc_torch *torch, const char *path,
                                           const unsigned char *bytes, size_t size,
                                           struct nc_error *err);

/* How a legacy file begins: a pickle of a long number */
enum { NC_TORCH_MAGIC = 15 };
int nc_torch_is_legacy(const unsigned char *bytes, size_t size);
int nc_torch_is_tar(const unsigned char *bytes, size_t size);

/* The run of a storage, or NULL. */
const struct nc_torch_run *nc_torch_find(const struct nc_torch *torch,
                                         const struct nc_pickle_storage *storage);

#endif
