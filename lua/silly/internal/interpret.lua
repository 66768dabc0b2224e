--- Keeps a file out of LuaJIT's compiler, which runs finalisers wherever compiled code is left: also
--- between two steps that belong together. Files that finalisers get into need that: those of guards
--- unlock, and those of scripts may fork, wake and push.

local jit, getinfo = rawget(_G, "jit"), debug and debug.getinfo

--- To be called by the main chunk of such a file.
return function()
	if jit and getinfo then
		jit.off(getinfo(2, "f").func, true)
	end
end
