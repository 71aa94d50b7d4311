#ifndef UTIL_BAD_H
#define UTIL_BAD_H

struct err;
extern int bad_counter;
int bad_open(const char *path, struct err *e);
void bad_close(struct bad *);
void bad_many(int a, int b, int c, int d, int e, int f, int g);
typedef struct bad bad_t;

#endif
