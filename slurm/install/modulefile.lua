-- Lmod module of a Coppice that was installed by hand: make PREFIX=$HOME/sw/coppice/0.1.0 install.
-- Copy it to a folder of modules, e.g. $HOME/sw/modules/coppice/0.1.0.lua, then: module use $HOME/sw/modules
help([[Post-trains language models without gradients, as one MPI job: coppice --help, man coppice.]])
whatis("Name: Coppice")
whatis("Version: 0.1.0")
whatis("Description: post-trains language models without gradients, as one MPI job")

local root = os.getenv("COPPICE_ROOT") or pathJoin(os.getenv("HOME"), "sw", "coppice", "0.1.0")

-- The MPI that it was built with, if your site has it as a module:
-- depends_on("openmpi")

prepend_path("PATH", pathJoin(root, "bin"))
prepend_path("MANPATH", pathJoin(root, "share", "man"))
setenv("COPPICE_ROOT", root)
