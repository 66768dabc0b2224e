--- Keeps a file out of LuaJIT's compiler, which runs finalisers wherever compiled code is left: also
--- between two steps that belong together. Files that finalisers get into need that: those of guards
--- unlock, and those of scripts may fork, wake and push.
--
-- `jit.off` itself, to be called with (true, true) by the main chunk of such a file: the one that calls
-- it, and all functions in it. A function of ours in between would need the debug library to say which.

local jit = rawget(_G, "jit")

return jit and jit.off or function() end
