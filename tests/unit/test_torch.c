/* PyTorch's files: tensors of all forms and types are read as they were saved; pickles that would do
 * anything, or say what is not so, are refused. Real files come from $NETCC_DATA or ../shared/data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "weight_file.h"

static char folder[64];
static struct nc_error err;

/* ---- bytes ------------------------------------------------------------------------------------- */

struct bytes {
    unsigned char data[1 << 16];
    size_t size;
};
static struct bytes file;

static void add(struct bytes *to, const void *bytes, size_t size)
{
    assert_true(to->size + size <= sizeof to->data);
    memcpy(to->data + to->size, bytes, size);
    to->size += size;
}

static void add_number(struct bytes *to, uint64_t number, size_t size)
{
    add(to, &number, size);
}

/* A literal that may hold zeros */
#define LITERAL(text) text, sizeof(text) - 1
#define ADD(to, text) add(to, LITERAL(text))

static const char *put(const char *name, const struct bytes *bytes)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes->data, 1, bytes->size, out), bytes->size);
    assert_int_equal(fclose(out), 0);
    return path;
}

static void refused(const char *path, const char *words)
{
    struct nc_weight_file f;
    int result = nc_weight_file_open(&f, path, &err);
    for (int i = 0; result == 0 && i < f.count; i++) {
        float *values = malloc((size_t)f.weights[i].elements * sizeof *values + 1);
        result = nc_weight_read(&f, i, values, &err);
        free(values);
    }
    if (result == 0)
        fail_msg("'%s' is read, not refused for '%s'", path, words);
    nc_weight_file_close(&f);
    if (!strstr(err.message, words))
        fail_msg("the message '%s' lacks '%s'", err.message, words);
}

static void holds(const struct nc_weight_file *f, const char *name, enum nc_dtype dtype, int count,
                  const float *wanted)
{
    float values[64];
    int i = nc_weight_find(f, name);
    if (i < 0)
        fail_msg("there is no %s", name);
    assert_int_equal(f->weights[i].dtype, dtype);
    assert_int_equal(f->weights[i].elements, count);
    if (nc_weight_read(f, i, values, &err) != 0)
        fail_msg("%s", err.message);
    for (int k = 0; k < count; k++)
        if (memcmp(&values[k], &wanted[k], sizeof(float)) != 0 &&
            !(isnan(values[k]) && isnan(wanted[k])))
            fail_msg("%s[%d] is %g, not %g", name, k, (double)values[k], (double)wanted[k]);
}

static struct nc_weight_file opened(const char *path)
{
    struct nc_weight_file f;
    if (nc_weight_file_open(&f, path, &err) != 0)
        fail_msg("%s: %s", path, err.message);
    assert_int_equal(f.convention, NC_BY_TORCH);
    return f;
}

/* ---- files in the old form --------------------------------------------------------------------- */

static const float four[] = {1.5F, -2, 3, 4};

static void begin_legacy(struct bytes *to, const char *system, size_t system_size)
{
    to->size = 0;
    ADD(to, "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.");
    ADD(to, "\x80\2M\xe9\3.");
    add(to, system, system_size);
}

/* The pickle, and a storage '0' of four floats where it speaks of any */
static const char *legacy(const void *pickle, size_t size)
{
    begin_legacy(&file, LITERAL("\x80\2}."));
    add(&file, pickle, size);
    if (!memmem(pickle, size, LITERAL("FloatStorage"))) {
        ADD(&file, "\x80\2].");
        return put("legacy.pt", &file);
    }
    ADD(&file, "\x80\2]U\1"
               "0a.");
    add_number(&file, 4, 8);
    add(&file, four, sizeof four);
    return put("legacy.pt", &file);
}

#define STORED(key, count) "(U\7storagectorch\nFloatStorage\nU\1" key "U\3cpu" count "tQ"
#define REBUILT(storage, offset, sizes, strides)                                                   \
    "ctorch._utils\n_rebuild_tensor_v2\n(" storage offset sizes strides "\x89Nt"                   \
    "R"
#define TENSOR(offset, sizes, strides) REBUILT(STORED("0", "K\4"), offset, sizes, strides)
#define WHOLE TENSOR("K\0", "K\4\x85", "K\1\x85")
#define NAMED(tensor) "\x80\2}U\1w" tensor "s."

static void the_old_form_is_read(void **state)
{
    (void)state;
    struct nc_weight_file f = opened(legacy(LITERAL(NAMED(WHOLE))));
    holds(&f, "w", NC_F32, 4, four);
    assert_non_null(f.weights[0].data); /* where it lies */
    nc_weight_file_close(&f);
}

static void strides_are_followed(void **state)
{
    (void)state;
    struct nc_weight_file f =
        opened(legacy(LITERAL(NAMED(TENSOR("K\0", "K\2K\2\x86", "K\1K\2\x86")))));
    holds(&f, "w", NC_F32, 4, (float[]){1.5F, 3, -2, 4});
    nc_weight_file_close(&f);
    f = opened(legacy(LITERAL(NAMED(TENSOR("K\1", "K\2\x85", "K\2\x85")))));
    holds(&f, "w", NC_F32, 2, (float[]){-2, 4});
    nc_weight_file_close(&f);
    f = opened(legacy(LITERAL(NAMED(TENSOR("K\2", "))", "")))));
    holds(&f, "w", NC_F32, 1, (float[]){3});
    nc_weight_file_close(&f);
}

static void names_are_joined(void **state)
{
    static const char pickle[] = "\x80\2ccollections\nOrderedDict\n)R(U\5state}(U\4"
                                 "a.b." WHOLE "K\7" WHOLE "uU\4list]" WHOLE
                                 "aU\5epochK\3U\4bestG\0\0\0\0\0\0\0\0U\2on\x88U\4noneNu"
                                 "}U\11_metadata}sb.";
    (void)state;
    struct nc_weight_file f = opened(legacy(pickle, sizeof pickle - 1));
    assert_int_equal(f.count, 3);
    holds(&f, "state.a.b.", NC_F32, 4, four);
    holds(&f, "state.7", NC_F32, 4, four);
    holds(&f, "list.0", NC_F32, 4, four);
    nc_weight_file_close(&f);
}

/* Protocol 4: frames, short names from the stack, a memo that counts by itself */
static void new_protocols_are_read(void **state)
{
    static const char pickle[] =
        "\x80\4\x95\xff\0\0\0\0\0\0\0}\x94\x8c\1w\x94\x8c\14torch._utils\x94\x8c\22_rebuild_tensor_"
        "v2"
        "\x94\x93\x94((\x8c\7storage\x94\x8c\5torch\x94\x8c\14"
        "FloatStorage\x94\x93\x94\x8c\1"
        "0\x94\x8c\3cpu\x94K\4t\x94QK\0K\4\x85\x94K\1\x85\x94\x89h\1t\x94R\x94s.";
    (void)state;
    struct nc_weight_file f = opened(legacy(pickle, sizeof pickle - 1));
    holds(&f, "w", NC_F32, 4, four);
    nc_weight_file_close(&f);
}

static void parameters_are_tensors(void **state)
{
    static const char pickle[] = "\x80\2ctorch._utils\n_rebuild_parameter\n(" WHOLE "\x88}tR.";
    (void)state;
    struct nc_weight_file f = opened(legacy(pickle, sizeof pickle - 1));
    holds(&f, "tensor", NC_F32, 4, four);
    nc_weight_file_close(&f);
}

static void big_ends_come_first_where_it_says_so(void **state)
{
    (void)state;
    begin_legacy(&file, LITERAL("\x80\2}U\15little_endian\x89s."));
    ADD(&file, NAMED(WHOLE) "\x80\2]U\1"
                            "0a.");
    add_number(&file, __builtin_bswap64(4), 8);
    for (int i = 0; i < 4; i++) {
        uint32_t word;
        memcpy(&word, &four[i], 4);
        add_number(&file, __builtin_bswap32(word), 4);
    }
    struct nc_weight_file f = opened(put("big.pt", &file));
    holds(&f, "w", NC_F32, 4, four);
    nc_weight_file_close(&f);
}

/* ---- hostile pickles --------------------------------------------------------------------------- */

#define BAD(pickle, words)                                                                         \
    {                                                                                              \
        pickle, sizeof(pickle) - 1, words                                                          \
    }
static const struct {
    const char *pickle;
    size_t size;
    const char *words;
} bad[] = {
    BAD("cposix\nsystem\n(U\4echotR.", "wants to call posix.system; nothing is ever executed"),
    BAD("cos\nsystem\n(U\4echotR.", "wants to call os.system"),
    BAD("cnt\nsystem\n(U\4echotR.", "wants to call nt.system"),
    BAD("cbuiltins\neval\n(U\4"
        "1+12tR.",
        "wants to call builtins.eval"),
    BAD("c__builtin__\nexec\n(U\1xtR.", "wants to call __builtin__.exec"),
    BAD("csubprocess\nPopen\n(U\2lstR.", "wants to call subprocess.Popen"),
    BAD("ctorch\nload\n(U\1xtR.", "wants to call torch.load"),
    BAD("ctorch.storage\n_load_from_bytes\n(U\1xtR.", "wants to call torch.storage._load"),
    BAD("\x80\4\x8c\2os\x8c\6system\x93\x8c\2ls\x85R.", "wants to call os.system"),
    BAD("c__main__\nNet\n)\x81}b.", "wants to call __main__.Net"),
    BAD("(ios\nsystem\n.", "instruction 0x69"),
    BAD("(cos\nsystem\nU\2lso.", "wants to call"),
    BAD("(U\2lso.", "instruction 0x6f"),
    BAD("\x80\4)}}\x92.", "instruction 0x92"),
    BAD("\x82\1.", "instruction 0x82"),
    BAD("P0\n.", "instruction 0x50"),
    BAD("\x80\5\x97.", "instruction 0x97"),
    BAD("ctorch\nComplexFloatStorage\n.", "tensors in a torch.ComplexFloatStorage are not"),
    BAD("ctorch\nQInt8Storage\n.", "tensors in a torch.QInt8Storage are not"),
    BAD("ccollections\nOrderedDict\n}b.", "a state for a name"),
    BAD("U\1x)R.", "a call in the pickle"),
    BAD("ctorch\nFloatStorage\n)R.", "a call in the pickle"),
    BAD("ccollections\nOrderedDict\nK\1R.", "a call in the pickle"),
    BAD("ccollections\nOrderedDict\nK\1\x85R.", "a dict in the pickle"),
    BAD("ctorch._utils\n_rebuild_tensor_v2\n)R.", "a tensor in the pickle"),
    BAD("ctorch._utils\n_rebuild_parameter\nK\1\x85R.", "a parameter in the pickle"),
    BAD(".", "the stack is empty"),
    BAD("0.", "there is no mark"),
    BAD("(t0.", "the stack is empty"),
    BAD("K\1K\2t.", "there is no mark"),
    BAD("K\1(\x85.", "the stack is empty"),
    BAD("]U\1aK\1s.", "not a dict"),
    BAD("}K\1a.", "not a list"),
    BAD("}(U\1au.", "a key without a value"),
    BAD("(U\1ad.", "a key without a value"),
    BAD("h\7.", "a memo entry that was not made"),
    BAD("}r\xff\xff\xff\x7f.", "a memo entry beyond reason"),
    BAD("\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.", "the pickle ends early"),
    BAD("X\xff\xff\xff\xff.", "the pickle ends early"),
    BAD("\x8b\xff\xff\xff\xff.", "the pickle ends early"),
    BAD("ctorch", "the pickle ends early"),
    BAD("I12x\n.", "no number"),
    BAD("K\1Q.", "a storage in the pickle"),
    BAD("}q\0U\1ah\0s.", "nest deeper than"),
    BAD("]q\0h\0a.", "nest deeper than"),
    BAD("}.", "no tensors"),
    BAD("(d.", "no tensors"),
    BAD("N.", "no tensors"),
    BAD(NAMED(TENSOR("K\0", "K\5\x85", "K\1\x85")), "beyond its storage of 4 elements"),
    BAD(NAMED(TENSOR("K\1", "K\4\x85", "K\1\x85")), "beyond its storage"),
    BAD(NAMED(TENSOR("K\5", ")", ")")), "beyond its storage"),
    BAD(NAMED(TENSOR("K\0", "K\2K\2\x86", "K\1K\3\x86")), "beyond its storage"),
    BAD(NAMED(TENSOR("K\0", "\x8a\10\0\0\0\0\0\0\0\x40K\2\x86", "K\4K\1\x86")), "beyond"),
    BAD(NAMED(TENSOR("K\0", "\x8a\10\xff\xff\xff\xff\xff\xff\xff\x7f\x85",
                     "\x8a\10\xff\xff\xff\xff\xff\xff\xff\x7f\x85")),
        "beyond"),
    BAD(NAMED(TENSOR("\x8a\10\xff\xff\xff\xff\xff\xff\xff\x7f", "K\2\x85", "K\1\x85")), "beyond"),
    BAD(NAMED(TENSOR("J\xff\xff\xff\xff", "K\4\x85", "K\1\x85")), "a tensor in the pickle"),
    BAD(NAMED(TENSOR("K\0", "J\xff\xff\xff\xff\x85", "K\1\x85")), "a tensor's shape"),
    BAD(NAMED(TENSOR("K\0", "K\4\x85", "J\xff\xff\xff\xff\x85")), "a tensor's shape"),
    BAD(NAMED(TENSOR("K\0", "K\4\x85", ")")), "a tensor's shape"),
    BAD(NAMED(TENSOR("K\0", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t", ")")), "a tensor has 9 axes"),
    BAD(NAMED(TENSOR("K\0", "M\xe8\3M\xe8\3\x86", "K\0K\0\x86")), "repeats the elements"),
    BAD(NAMED(REBUILT(STORED("0", "J\xff\xff\xff\xff"), "K\0", ")", ")")), "a storage in the"),
    BAD(NAMED(REBUILT(STORED("7", "K\4"), "K\0", "K\4\x85", "K\1\x85")), "one of no tensor"),
    BAD(NAMED(REBUILT(STORED("0", "K\11"), "K\0", "K\11\x85", "K\1\x85")), "of another size"),
    BAD(NAMED(REBUILT("(U\7storagectorch\nFloatStorage\nU\1"
                      "0U\3cpuK\4(U\1vK\3K\2ttQ",
                      "K\0", ")", ")")),
        "a view of a storage"),
    BAD("\x80\2}(U\1w" WHOLE "U\1w" WHOLE "u.", "w is there twice"),
    BAD("\x80\2}U\2w\0" WHOLE "s.", "with a NUL"),
    BAD("\x80\2}N" WHOLE "s.", "neither text nor number"),
};

static void hostile_pickles_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(legacy(bad[i].pickle, bad[i].size), bad[i].words);
}

/* Many values from few bytes, and tall towers */
static void floods_are_refused(void **state)
{
    struct bytes *p = malloc(sizeof *p);
    (void)state;
    p->size = 0;
    ADD(p, "\x80\2)");
    for (int i = 0; i < 50; i++)
        ADD(p, "2\x86"); /* ((x, x), (x, x)) ... */
    ADD(p, ".");
    refused(legacy(p->data, p->size), "more than 4194304 values");
    p->size = 0;
    ADD(p, "\x80\2)");
    for (int i = 0; i < 30000; i++)
        ADD(p, "\x85");
    ADD(p, ".");
    refused(legacy(p->data, p->size), "nest deeper than");
    p->size = 0;
    ADD(p, "\x80\2}X\0\4\0\0");
    for (int i = 0; i < 1024; i++)
        ADD(p, "n");
    ADD(p, WHOLE "s.");
    refused(legacy(p->data, p->size), "a name longer than");
    p->size = 0;
    for (int i = 0; i < 60000; i++)
        ADD(p, "(");
    refused(legacy(p->data, p->size), "the pickle ends early");
    free(p);
}

/* No beginning of a file is a file. */
static void cut_files_are_refused(void **state)
{
    (void)state;
    struct bytes *whole = malloc(sizeof *whole);
    legacy(LITERAL(NAMED(WHOLE)));
    *whole = file;
    for (size_t cut = 1; cut < whole->size; cut++) {
        struct nc_weight_file f;
        file = *whole;
        file.size = cut;
        assert_int_equal(nc_weight_file_open(&f, put("cut.pt", &file), &err), -1);
        assert_int_equal(f.count, 0);
    }
    file = *whole;
    memset(file.data + file.size - sizeof four - 8, 0xff, 8); /* the count */
    refused(put("count.pt", &file), "ends in storage '0'");
    begin_legacy(&file, LITERAL("\x80\2}."));
    ADD(&file, NAMED(WHOLE) "\x80\2}.");
    refused(put("keys.pt", &file), "no list of storages");
    begin_legacy(&file, LITERAL("\x80\2}."));
    ADD(&file, NAMED(WHOLE) "\x80\2].");
    refused(put("keys.pt", &file), "storage '0' is not there");
    begin_legacy(&file, LITERAL("\x80\2}."));
    ADD(&file, NAMED(WHOLE) "\x80\2](U\1"
                            "0U\1"
                            "0e.");
    for (int i = 0; i < 2; i++) {
        add_number(&file, 4, 8);
        add(&file, four, sizeof four);
    }
    refused(put("keys.pt", &file), "storage '0' is there twice");
    free(whole);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    file.size = 0;
    ADD(&file, "abc");
    refused(put("short.pt", &file), "not a PyTorch file");
    file.size = 0;
    ADD(&file, "\x80\3}q\0.");
    refused(put("plain.pth", &file), "a pickle, but not one of torch.save");
}

/* ---- zip --------------------------------------------------------------------------------------- */

struct member {
    const char *name;
    const void *bytes;
    size_t size;
};

static void add_header(struct bytes *to, const struct member *m, uint32_t offset, int central)
{
    uint32_t crc = (uint32_t)crc32(0, m->bytes, (unsigned)m->size);
    add(to, central ? "PK\1\2" : "PK\3\4", 4);
    add_number(to, 20, central ? 2 : 0);
    add_number(to, 20, 2);
    add_number(to, 0, 8); /* flags, method, time, date */
    add_number(to, crc, 4);
    add_number(to, m->size, 4);
    add_number(to, m->size, 4);
    add_number(to, strlen(m->name), 2);
    add_number(to, 0, 2);
    if (central) {
        add_number(to, 0, 8);
        add_number(to, 0, 2);
        add_number(to, offset, 4);
    }
    add(to, m->name, strlen(m->name));
}

static void zip(struct bytes *to, const struct member *members, int count)
{
    uint32_t offsets[8];
    to->size = 0;
    for (int i = 0; i < count; i++) {
        offsets[i] = (uint32_t)to->size;
        add_header(to, &members[i], 0, 0);
        add(to, members[i].bytes, members[i].size);
    }
    uint32_t start = (uint32_t)to->size;
    for (int i = 0; i < count; i++)
        add_header(to, &members[i], offsets[i], 1);
    uint32_t length = (uint32_t)to->size - start;
    ADD(to, "PK\5\6\0\0\0\0");
    add_number(to, (uint64_t)count, 2);
    add_number(to, (uint64_t)count, 2);
    add_number(to, length, 4);
    add_number(to, start, 4);
    add_number(to, 0, 2);
}

#define MEMBER(name, bytes)                                                                        \
    {                                                                                              \
        name, bytes, sizeof(bytes) - 1                                                             \
    }

static void the_zip_form_is_read(void **state)
{
    struct member members[] = {MEMBER("net/data.pkl", NAMED(TENSOR("K\1", "K\3\x85", "K\1\x85"))),
                               MEMBER("net/byteorder", "little"),
                               {"net/data/0", four, sizeof four}};
    (void)state;
    zip(&file, members, 3);
    struct nc_weight_file f = opened(put("zip.pt", &file));
    holds(&f, "w", NC_F32, 3, four + 1);
    nc_weight_file_close(&f);
    file.data[file.size - 22 - 3 * 46 - 36 - 1] ^= 1; /* the last byte of the last member */
    refused(put("zip.pt", &file), "CRC");
    zip(&file, members, 2);
    refused(put("zip.pt", &file), "net/data/0");
    members[2].size = 12;
    zip(&file, members, 3);
    refused(put("zip.pt", &file), "has 12 bytes, not 16");
    members[0].name = "net/code.pkl";
    zip(&file, members, 3);
    refused(put("zip.pt", &file), "without data.pkl");
    members[0].name = "net/data.pkl";
    members[1] = (struct member)MEMBER("other/data.pkl", "N.");
    zip(&file, members, 3);
    refused(put("zip.pt", &file), "two pickles");
    members[0] = (struct member)MEMBER("net/data.pkl", "cos\nsystem\n(U\2lstR.");
    members[1] = (struct member)MEMBER("net/byteorder", "little");
    zip(&file, members, 3);
    refused(put("zip.pt", &file), "wants to call os.system");
    file.size -= 30;
    refused(put("zip.pt", &file), "zip");
}

/* ---- tar --------------------------------------------------------------------------------------- */

static void tar(struct bytes *to, const struct member *members, int count)
{
    static const char zeros[512];
    to->size = 0;
    for (int i = 0; i < count; i++) {
        char head[512] = "";
        snprintf(head, 100, "%s", members[i].name);
        snprintf(head + 124, 12, "%011zo", members[i].size);
        add(to, head, sizeof head);
        add(to, members[i].bytes, members[i].size);
        add(to, zeros, (512 - members[i].size % 512) % 512);
    }
    add(to, zeros, 512);
}

static void the_tar_form_is_read(void **state)
{
    struct bytes storages = {.size = 0};
    (void)state;
    ADD(&storages, "\x80\2K\1.\x80\2(U\1"
                   "0U\3cpuctorch\nFloatStorage\nt.");
    add_number(&storages, 4, 8);
    add(&storages, four, sizeof four);
    struct member members[] = {
        MEMBER("sys_info", "}."), MEMBER("pickle", NAMED(WHOLE)), {"storages", NULL, 0}};
    members[2].bytes = storages.data;
    members[2].size = storages.size;
    tar(&file, members, 3);
    struct nc_weight_file f = opened(put("tar.tar", &file));
    holds(&f, "w", NC_F32, 4, four);
    nc_weight_file_close(&f);
    tar(&file, members, 2);
    refused(put("tar.tar", &file), "without 'storages'");
    members[2].size -= 1;
    tar(&file, members, 3);
    refused(put("tar.tar", &file), "ends in storage '0'");
    members[0].name = "tensors";
    tar(&file, members, 3);
    refused(put("tar.tar", &file), "'tensors'");
    memcpy(file.data + 124, "77777777777", 11);
    refused(put("tar.tar", &file), "damaged at byte 0");
}

/* ---- real files -------------------------------------------------------------------------------- */

static const char *real_file(const char *name)
{
    static char path[1024];
    const char *root = getenv("NETCC_DATA");
    snprintf(path, sizeof path, "%s/weights/pytorch/%s", root && *root ? root : "../shared/data",
             name);
    if (access(path, R_OK) != 0) {
        printf("SKIP weights/pytorch: %s is not there\n", path);
        skip();
    }
    return path;
}

static void every_case_of_a_reader_is_read(void **state)
{
    static const struct {
        const char *file, *name;
        enum nc_dtype dtype;
        int count;
        float values[12];
    } cases[] = {
        {"bfloat16.pt", "tensor", NC_BF16, 3, {1.5F, -2.5F, 3.5F}},
        {"bool.pt", "tensor", NC_BOOL, 5, {1, 0, 1, 1, 0}},
        {"buffers.pt", "buffer1", NC_I32, 3, {1, 2, 3}},
        {"buffers.pt", "buffer2", NC_BOOL, 2, {1, 0}},
        {"empty.pt", "tensor", NC_F32, 0, {0}},
        {"extreme_values.pt", "tensor", NC_F32, 4, {1e-30F, 1e30F, -1e-30F, -1e30F}},
        {"float16.pt", "tensor", NC_F16, 3, {1.5F, -2.25F, 3.125F}},
        {"float32.pt", "tensor", NC_F32, 4, {1, 2.5F, -3.7F, 0}},
        {"float64.pt", "tensor", NC_F64, 3, {1.1F, 2.2F, 3.3F}},
        {"int16.pt", "tensor", NC_I16, 3, {1000, -2000, 3000}},
        {"int32.pt", "tensor", NC_I32, 3, {10, 20, -30}},
        {"int64.pt", "tensor", NC_I64, 4, {100, -200, 300, 0}},
        {"int8.pt", "tensor", NC_I8, 4, {127, -128, 0, 50}},
        {"uint8.pt", "tensor", NC_U8, 4, {0, 128, 255, 42}},
        {"mixed_types.pt", "float64", NC_F64, 2, {1.1F, 2.2F}},
        {"mixed_types.pt", "int64", NC_I64, 2, {100, 200}},
        {"scalar.pt", "tensor", NC_F32, 1, {42}},
        {"special_values.pt", "tensor", NC_F32, 5, {NAN, INFINITY, -INFINITY, 0, 1}},
        {"tensor_2d.pt", "tensor", NC_F32, 6, {1, 2, 3, 4, 5, 6}},
        {"state_dict.pt", "running_var", NC_F32, 3, {1, 1, 1}},
        {"simple_legacy.pt", "bias", NC_F32, 2, {1, 1}},
        {"legacy_uncloned_views.pt",
         "tensor2",
         NC_F32,
         10,
         {50, 51, 52, 53, 54, 55, 56, 57, 58, 59}},
        {"legacy_with_offsets.pt", "tensor2", NC_F32, 5, {2, 2.1F, 2.2F, 2.3F, 2.4F}},
        {"tar_2d_tensor.tar", "matrix", NC_F32, 12, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
        {"tar_float32.tar", "tensor", NC_F32, 4, {1, 2.5F, -3.7F, 0}},
        {"tar_float64.tar", "tensor", NC_F64, 3, {1.1F, 2.2F, 3.3F}},
        {"tar_int64.tar", "tensor", NC_I64, 4, {100, -200, 300, 0}},
        {"tar_multi_dtype.tar", "double_tensor", NC_F64, 2, {1.111F, 2.222F}},
        {"tar_weight_bias.tar", "weight", NC_F32, 6, {0.1F, 0.2F, 0.3F, 0.4F, 0.5F, 0.6F}},
    };
    char path[600];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(path, sizeof path, "reader-cases/%s", cases[i].file);
        struct nc_weight_file f = opened(real_file(path));
        holds(&f, cases[i].name, cases[i].dtype, cases[i].count, cases[i].values);
        nc_weight_file_close(&f);
    }
    refused(real_file("reader-cases/broken.pt"), "not a PyTorch file");
}

static void networks_are_read(void **state)
{
    static const struct {
        const char *file;
        int tensors;
        const char *name;
        int64_t elements;
    } cases[] = {
        {"cifar_resnet20-12fca82f.th", 97, "state_dict.module.linear.weight", 640},
        {"mnist_conv_burn.pt", 20, "fc1.weight", 0},
        {"mobilenetV1X0.25_imagenet.tar", 0, "state_dict.module.fc.weight", 256000},
        {"mtcnn_pnet.pt", 13, "prelu3.weight", 32},
        {"mtcnn_rnet.pt", 16, "dense4.weight", 0},
        {"winml_cifar_classifier.pth", 0, "conv1.weight", 900},
        {"reader-cases/checkpoint.pt", 5, "optimizer_state_dict.state.0.momentum_buffer", 50},
        {"reader-cases/complex_structure.pt", 6, "state.encoder.layer_1.bias", 2},
        {"reader-cases/nested_dict.pt", 4, "layer2.weight", 8},
        {"reader-cases/large_shape.pt", 1, "tensor", 10000},
        {"reader-cases/legacy_shared_storage.pt", 3, "view2", 20},
        {"reader-cases/parameter.pt", 1, "param", 9},
        {"reader-cases/tensor_4d.pt", 1, "tensor", 24},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct nc_weight_file f = opened(real_file(cases[i].file));
        int at = nc_weight_find(&f, cases[i].name);
        if (at < 0)
            fail_msg("%s has no %s", cases[i].file, cases[i].name);
        if (cases[i].tensors)
            assert_int_equal(f.count, cases[i].tensors);
        if (cases[i].elements)
            assert_int_equal(f.weights[at].elements, cases[i].elements);
        for (int k = 0; k < f.count; k++) {
            float *values = malloc((size_t)f.weights[k].elements * sizeof *values + 1);
            assert_int_equal(nc_weight_read(&f, k, values, &err), 0);
            for (int64_t e = 0; e < f.weights[k].elements; e++)
                assert_true(isfinite(values[e]));
            free(values);
        }
        nc_weight_file_close(&f);
    }
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/netcc-torch-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* The plugins are in the folder above, where the build puts them. */
static void find_plugins(void)
{
    char self[512] = "", path[600];
    if (getenv("NETCC_PLUGINS") || readlink("/proc/self/exe", self, sizeof self - 1) <= 0)
        return;
    *strrchr(self, '/') = '\0';
    snprintf(path, sizeof path, "%s/..", self);
    setenv("NETCC_PLUGINS", path, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_old_form_is_read),
        cmocka_unit_test(strides_are_followed),
        cmocka_unit_test(names_are_joined),
        cmocka_unit_test(new_protocols_are_read),
        cmocka_unit_test(parameters_are_tensors),
        cmocka_unit_test(big_ends_come_first_where_it_says_so),
        cmocka_unit_test(hostile_pickles_are_refused),
        cmocka_unit_test(floods_are_refused),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(the_zip_form_is_read),
        cmocka_unit_test(the_tar_form_is_read),
        cmocka_unit_test(every_case_of_a_reader_is_read),
        cmocka_unit_test(networks_are_read),
    };
    find_plugins();
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
