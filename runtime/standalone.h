/* standalone: what `netcc build` makes is a description of a model, its code for several instruction
 * sets, its weights, and the main function of standalone.c. */
#ifndef NC_STANDALONE_H
#define NC_STANDALONE_H

/* The code of one instruction set */
struct nc_code {
    const char *isa;
    nc_entry_function *prepare, *predict, *train, *eval;
};

/* Operations of a call: times n, and besides */
struct nc_work {
    double row, fixed;
};

/* A decoder of pictures that is linked in: its table, as plugin.h has them */
struct nc_linked {
    const char *name;
    const void *plugin;
};

/* How pictures fill an input, beside its shape: see struct nc_frame */
struct nc_framing {
    int own_size; /* the sizes are these, not the input's */
    int resize_height, resize_width, antialias, bgr;
};

struct nc_standalone {
    struct nc_model *model; /* its entries' run pointers are set at the start */
    const struct nc_code *code;
    int code_count;
    const float *weights; /* packed; NULL: none are compiled in */
    struct nc_work predict_work, train_work;
    double learning_rate;
    long epochs;
    unsigned seed;
    int shuffle, one_hot;
    long digits; /* samples of the digits it trains on where no files are named; 0: none */
    unsigned digits_seed;
    long test_digits;
    unsigned test_digits_seed;
    const struct nc_class_names *classes; /* one per target */
    const char *const *metadata;    /* what weights say beside numbers: pairs of key and text, */
    int metadata_count;             /* of which `table` tells how csv files are read */
    const struct nc_linked *linked; /* ends with a name that is NULL */
    struct nc_framing framing;
};

int nc_standalone_main(const struct nc_standalone *standalone, int argc, char **argv);

#endif
