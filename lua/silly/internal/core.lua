--- The native library, or why it cannot be loaded in words that say what to do. Whatever else here needs
--- it requires this file.

local ok, core = pcall(require, "silly.core")
if ok then
	return core
end

local problem = tostring(core)

--- What tools/build calls this interpreter's Lua.
local function this_lua()
	return rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match("%d+%.%d+")
end

-- What the system's loader says of a symbol that only another Lua has: glibc, macOS and musl.
local symbol = problem:match("undefined symbol: _?(lua[%w_]*)")
	or problem:match("[Ss]ymbol not found[^\n]-[_(](lua[%w_]*)")
	or problem:match("(lua[%w_]*): symbol not found")

if symbol then
	problem = ("silly: the native library was built for another Lua, not for this %s: make build LUA=%s\n\t%s"):format(
		rawget(_G, "jit") and "LuaJIT" or _VERSION, this_lua(), problem)
elseif problem:find("module 'silly.core' not found", 1, true) then
	problem = "silly: the native library is not built, or LUA_CPATH does not lead to it: make build LUA="
		.. this_lua() .. ', then eval "$(make -s env)"\n\t' .. problem
end
error(problem, 0)
