#include "coppice/base/build_info.h"

const char *cop_build_version(void)
{
    return COP_VERSION;
}

const char *cop_build_git(void)
{
    return COP_GIT;
}

const char *cop_build_compiler(void)
{
    return COP_COMPILER;
}

const char *cop_build_flags(void)
{
    return COP_OPT;
}
