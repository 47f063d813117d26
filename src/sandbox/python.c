/* Embedding: https://docs.python.org/3/c-api/init_config.html. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "sandbox/python.h"

#include "sandbox/harness.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FIRST_DESCRIPTOR = 3 };

size_t cop_role_descriptors(cop_role role)
{
    return role == COP_ROLE_GUEST ? 1 : 3;
}

/* The message of Python's pending exception, which is cleared. */
static cop_status take_exception(const char *what, cop_error *err)
{
    PyObject *type = NULL;
    PyObject *value = NULL;
    PyObject *trace = NULL;
    PyErr_Fetch(&type, &value, &trace);
    PyObject *const text = value != NULL ? PyObject_Str(value) : NULL;
    const char *const message = text != NULL ? PyUnicode_AsUTF8(text) : NULL;
    const cop_status status = cop_error_set(err, COP_ERR_INTERNAL, "Python: %s: %s", what,
                                            message != NULL ? message : "failed");
    Py_XDECREF(text);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    PyErr_Clear();
    return status;
}

static cop_status check(PyStatus status, PyConfig *config, cop_error *err)
{
    if (!PyStatus_Exception(status)) return COP_OK;
    if (config != NULL) PyConfig_Clear(config);
    return cop_error_set(err, COP_ERR_CONFIG,
                         "Python cannot start: %s (is the standard library of Python %s "
                         "installed below %s?)",
                         status.err_msg != NULL ? status.err_msg : "no reason given",
                         PY_VERSION, COP_PYTHON_HOME);
}

static cop_status initialize(cop_error *err)
{
    PyPreConfig before;
    PyPreConfig_InitIsolatedConfig(&before);
    before.utf8_mode = 1;
    COP_TRY(check(Py_PreInitialize(&before), NULL, err));
    PyConfig config;
    PyConfig_InitIsolatedConfig(&config);
    config.site_import = 0;
    config.write_bytecode = 0;
    config.install_signal_handlers = 0;
    config.use_hash_seed = 1; /* sets come in the same order in every run */
    config.hash_seed = 0;
    COP_TRY(
        check(PyConfig_SetBytesString(&config, &config.home, COP_PYTHON_HOME), &config, err));
    COP_TRY(check(Py_InitializeFromConfig(&config), &config, err));
    PyConfig_Clear(&config);
    return COP_OK;
}

static cop_status load_module(const char *name, const char *source, cop_error *err)
{
    PyObject *const code = Py_CompileString(source, name, Py_file_input);
    if (code == NULL) return take_exception(name, err);
    PyObject *const module = PyImport_ExecCodeModule(name, code);
    Py_DECREF(code);
    if (module == NULL) return take_exception(name, err);
    Py_DECREF(module);
    return COP_OK;
}

/* Calls module.main(arguments); steals nothing. */
static cop_status call_main(const char *name, PyObject *arguments, cop_error *err)
{
    PyObject *const module = PyImport_ImportModule(name);
    PyObject *const function = module != NULL ? PyObject_GetAttrString(module, "main") : NULL;
    PyObject *const result =
        function != NULL && arguments != NULL ? PyObject_CallObject(function, arguments) : NULL;
    const cop_status status = result != NULL ? COP_OK : take_exception(name, err);
    Py_XDECREF(result);
    Py_XDECREF(function);
    Py_XDECREF(module);
    return status;
}

cop_status cop_python_start(cop_error *err)
{
    COP_TRY(initialize(err));
    COP_TRY(load_module("coppice_wire", cop_harness_wire, err));
    COP_TRY(load_module("coppice_guest", cop_harness_guest, err));
    COP_TRY(load_module("coppice_names", cop_harness_names, err));
    COP_TRY(load_module("coppice_judge", cop_harness_judge, err));
    COP_TRY(load_module("coppice_preload", cop_harness_preload, err));
    PyObject *const none = PyTuple_New(0);
    const cop_status status = call_main("coppice_preload", none, err);
    Py_XDECREF(none);
    return status;
}

const char *cop_python_version(void)
{
    return PY_VERSION;
}

/* By the system call, since fork() cannot hand the child to the grandparent. There is one
 * thread and what glibc does for forks beyond that is done by Python's own calls. */
pid_t cop_python_fork(void)
{
    PyOS_BeforeFork();
    const pid_t pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        PyOS_AfterFork_Child();
    else
        PyOS_AfterFork_Parent();
    return pid;
}

_Noreturn void cop_python_play(cop_role role)
{
    const size_t count = cop_role_descriptors(role);
    PyObject *const arguments = PyTuple_New((Py_ssize_t)count);
    cop_status status = COP_ERR_MEMORY;
    if (arguments != NULL) {
        for (size_t i = 0; i < count; i++) {
            PyObject *const fd = PyLong_FromLong((long)(FIRST_DESCRIPTOR + i));
            (void)PyTuple_SetItem(arguments, (Py_ssize_t)i, fd);
        }
        status = call_main(role == COP_ROLE_GUEST ? "coppice_guest" : "coppice_judge",
                           arguments, NULL);
    }
    _exit(status == COP_OK ? 0 : 1);
}
