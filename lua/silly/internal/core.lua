--- The native library, or why it cannot be loaded in words that say what to do. Whatever else here needs
--- it requires this file.

local ok, core = pcall(require, "silly.core")
if ok then
	return core
end

local problem = tostring(core)
local jit = rawget(_G, "jit")
local build = "make build LUA=" .. (jit and "luajit" or "lua" .. _VERSION:match("%d+%.%d+"))

-- What the loaders of glibc, macOS and musl say of a symbol of Lua's that is not there, and what Lua itself
-- says where all are.
local foreign = problem:find("undefined symbol: lua", 1, true)
	or problem:find("version mismatch: app", 1, true)
	or problem:find("ymbol not found[^\n]-_lua")
	or problem:find("lua[%w_]*: symbol not found")

if foreign then
	problem = ("silly: the native library was built for another Lua, not for this %s: %s\n"
		.. "\t(or a host keeps its Lua's symbols to itself: link it with -Wl,-E)\n\t%s"):format(
		jit and "LuaJIT" or _VERSION, build, problem)
elseif problem:find("module 'silly.core' not found", 1, true) then
	problem = ("silly: the native library is not built, or LUA_CPATH does not lead to it: %s, "
		.. "then eval \"$(make -s env)\"\n\t%s"):format(build, problem)
end
error(problem, 0)
