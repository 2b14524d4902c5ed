/* Small files for tests/import, good ones and bad ones, by a script on stdin, a line each:
 *
 *     h5 FILE                         an HDF5 file begins
 *     text GROUP NAME TEXT...         a text attribute, the rest of the line
 *     texts GROUP NAME TEXT...        a list of texts, one a word
 *     number GROUP NAME               an attribute that is no text
 *     array PATH SIZE...              float32 numbers 0.01, 0.02, ...
 *     half PATH, chunk PATH, int PATH as float16, in zlib's chunks, as int32
 *     hollow PATH SIZE...             an array of which nothing is stored
 *     outside PATH FILE               an array whose numbers lie in another file
 *     link PATH FILE OBJECT           a link to an object of another file
 *     loop GROUP NAME                 a link back to GROUP itself
 *     deep COUNT                      groups in groups
 *     zip FILE                        an archive begins
 *     member NAME FILE                a file packed into it
 *     zeros NAME BYTES                a member of zeros
 */
#include <hdf5.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

static hid_t h5 = -1;
static zip_t *archive;

static void check(int good, const char *line)
{
    if (good)
        return;
    fprintf(stderr, "make: %s\n", line);
    exit(1);
}

static void close_all(void)
{
    if (h5 >= 0)
        H5Fclose(h5);
    if (archive)
        check(zip_close(archive) == 0, "zip");
    h5 = -1;
    archive = NULL;
}

/* The group, made where it is missing with those above it. */
static hid_t group_of(const char *path)
{
    hid_t plist = H5Pcreate(H5P_LINK_CREATE), group;
    H5Pset_create_intermediate_group(plist, 1);
    if (!strcmp(path, "/") || H5Lexists(h5, path, H5P_DEFAULT) > 0)
        group = H5Gopen2(h5, path, H5P_DEFAULT);
    else
        group = H5Gcreate2(h5, path, plist, H5P_DEFAULT, H5P_DEFAULT);
    H5Pclose(plist);
    return group;
}

static void put_text(const char *path, const char *name, const char *text)
{
    hid_t group = group_of(path), type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    H5Tset_size(type, H5T_VARIABLE);
    hid_t attribute = H5Acreate2(group, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    check(H5Awrite(attribute, type, &text) >= 0, name);
    H5Aclose(attribute);
    H5Gclose(group);
}

enum { WORD = 64, MOST = 64 };

static void put_texts(const char *path, const char *name, char *words)
{
    char list[MOST][WORD];
    hsize_t count = 0;
    for (char *word = strtok(words, " "); word && count < MOST; word = strtok(NULL, " "))
        snprintf(list[count++], WORD, "%s", word);
    hid_t group = group_of(path), type = H5Tcopy(H5T_C_S1),
          space = H5Screate_simple(1, &count, NULL);
    H5Tset_size(type, WORD);
    hid_t attribute = H5Acreate2(group, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    check(H5Awrite(attribute, type, list) >= 0, name);
    H5Aclose(attribute);
    H5Gclose(group);
}

static void put_number(const char *path, const char *name)
{
    hid_t group = group_of(path), space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(group, name, H5T_STD_I32LE, space, H5P_DEFAULT, H5P_DEFAULT);
    check(H5Awrite(attribute, H5T_NATIVE_INT, &(int){7}) >= 0, name);
    H5Aclose(attribute);
    H5Gclose(group);
}

static hid_t half_type(void)
{
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(type, 15, 10, 5, 0, 10);
    H5Tset_size(type, 2);
    H5Tset_ebias(type, 15);
    return type;
}

static int read_sizes(char *words, hsize_t *sizes, hsize_t *total)
{
    int rank = 0;
    *total = 1;
    for (char *word = strtok(words, " "); word && rank < H5S_MAX_RANK; word = strtok(NULL, " ")) {
        sizes[rank] = strtoull(word, NULL, 10);
        *total *= sizes[rank++];
    }
    return rank;
}

static void put_array(const char *how, const char *path, char *words)
{
    hsize_t sizes[H5S_MAX_RANK], total;
    int rank = read_sizes(words, sizes, &total), hollow = !strcmp(how, "hollow");
    hid_t links = H5Pcreate(H5P_LINK_CREATE), plist = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(rank, sizes, NULL);
    H5Pset_create_intermediate_group(links, 1);
    if (!strcmp(how, "chunk")) {
        H5Pset_chunk(plist, rank, sizes);
        H5Pset_deflate(plist, 6);
    }
    if (hollow)
        H5Pset_alloc_time(plist, H5D_ALLOC_TIME_LATE);
    hid_t type = !strcmp(how, "half")  ? half_type()
                 : !strcmp(how, "int") ? H5Tcopy(H5T_STD_I32LE)
                                       : H5Tcopy(H5T_IEEE_F32LE);
    hid_t dataset = H5Dcreate2(h5, path, type, space, links, plist, H5P_DEFAULT);
    check(dataset >= 0, path);
    float *values = malloc(hollow ? 1 : total * sizeof *values + 1);
    for (hsize_t i = 0; !hollow && i < total; i++)
        values[i] = !strcmp(how, "int") ? (float)i : 0.01F * (float)(i + 1);
    if (!hollow)
        check(H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0,
              path);
    free(values);
    H5Dclose(dataset);
}

static void put_outside(const char *path, const char *file)
{
    hid_t plist = H5Pcreate(H5P_DATASET_CREATE), links = H5Pcreate(H5P_LINK_CREATE);
    hsize_t size = 4;
    H5Pset_create_intermediate_group(links, 1);
    H5Pset_external(plist, file, 0, 16);
    hid_t dataset = H5Dcreate2(h5, path, H5T_IEEE_F32LE, H5Screate_simple(1, &size, NULL), links,
                               plist, H5P_DEFAULT);
    check(dataset >= 0, path);
    H5Dclose(dataset);
}

static void put_deep(int count)
{
    hid_t group = group_of("/");
    for (int i = 0; i < count; i++)
        group = H5Gcreate2(group, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    check(group >= 0, "deep");
}

static void put_member(const char *name, const char *file, long zeros)
{
    zip_source_t *source =
        zeros ? zip_source_buffer(archive, calloc(1, (size_t)zeros), (zip_uint64_t)zeros, 1)
              : zip_source_file(archive, file, 0, -1);
    check(source && zip_file_add(archive, name, source, 0) >= 0, name);
}

static void run_h5(const char *word, char *a, char *b, char *rest)
{
    if (!strcmp(word, "text"))
        put_text(a, b, rest);
    else if (!strcmp(word, "texts"))
        put_texts(a, b, rest);
    else if (!strcmp(word, "number"))
        put_number(a, b);
    else if (!strcmp(word, "outside"))
        put_outside(a, b);
    else if (!strcmp(word, "link"))
        check(H5Lcreate_external(b, rest, h5, a, H5P_DEFAULT, H5P_DEFAULT) >= 0, a);
    else if (!strcmp(word, "loop"))
        check(H5Lcreate_hard(h5, a, group_of(a), b, H5P_DEFAULT, H5P_DEFAULT) >= 0, a);
    else if (!strcmp(word, "deep"))
        put_deep(atoi(a));
    else {
        char sizes[256];
        snprintf(sizes, sizeof sizes, "%s %s", b, rest);
        put_array(word, a, sizes);
    }
}

static void run_line(char *line)
{
    char *word = strtok(line, " "), *a = strtok(NULL, " "), *b = strtok(NULL, " ");
    char *rest = strtok(NULL, "");
    static char none[] = "";
    b = b ? b : none;
    rest = rest ? rest : none;
    if (!word || !a)
        return;
    if (!strcmp(word, "h5")) {
        close_all();
        h5 = H5Fcreate(a, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
        check(h5 >= 0, a);
    } else if (!strcmp(word, "zip")) {
        close_all();
        archive = zip_open(a, ZIP_CREATE | ZIP_TRUNCATE, NULL);
        check(archive != NULL, a);
    } else if (!strcmp(word, "member") || !strcmp(word, "zeros")) {
        put_member(a, b, *word == 'z' ? atol(b) : 0);
    } else {
        run_h5(word, a, b, rest);
    }
}

int main(void)
{
    static char line[1 << 16];
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        run_line(line);
    }
    close_all();
    return 0;
}
