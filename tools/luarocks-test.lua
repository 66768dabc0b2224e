--- What `luarocks test` runs, by the interpreter that luarocks installs for: the specs, with that
--- one.
---
--- usage: LUA tools/luarocks-test.lua [ARGUMENT...]
---
--- Arguments are busted's, as for `make specs`.

local function quote(text)
	return "'" .. text:gsub("'", [['\'']]) .. "'"
end

local interpreter = 0
while arg[interpreter - 1] do
	interpreter = interpreter - 1
end

-- Quoted for the shell that make starts, and for make itself.
local arguments = {}
for index, argument in ipairs(arg) do
	arguments[index] = quote(argument):gsub("%$", "$$")
end

local status = os.execute(("make -s specs LUA=%s SPECS=%s"):format(
	quote(arg[interpreter]), quote(table.concat(arguments, " "))))
-- Lua 5.1 gives the number.
os.exit((status == true or status == 0) and 0 or 1)
