--- The Lua API of zproto with what the fuzzers of the Rust side have left in fuzz/corpus: it returns,
--- and what it has decoded it can encode and decode again.

local zproto = require "zproto"

--- Lua 5.1, 5.2 and LuaJIT have only doubles, and not all integers of 64 bits come back from those.
local HAS_INTEGERS = math.type ~= nil

local function contents(path)
	local file = assert(io.open(path, "rb"))
	local bytes = file:read("*a")
	file:close()
	return bytes
end

--- Calls a function with each file of a target's corpus.
local function each(target, fn)
	local folder, count = "fuzz/corpus/" .. target .. "/", 0
	local pipe = assert(io.popen("ls " .. folder))
	for name in pipe:lines() do
		fn(contents(folder .. name), name)
		count = count + 1
	end
	pipe:close()
	assert(count > 0, "nothing in " .. folder)
end

--- The names of the top-level structs, in order.
local function structs(schema)
	local names = {}
	for index, name in schema:travel("struct") do
		names[index] = name
	end
	return names
end

local rich = assert(zproto:parse(contents("fuzz/rich.zproto")))
local choices = structs(rich)

--- The schema, the struct and the message of an input; nothing if its schema does not parse.
local function message(input)
	local choice = choices[(input:byte() or 0) + 1]
	if choice then
		return rich, choice, input:sub(2)
	end
	local text, bytes = input:match("^.([^%z]*)%z(.*)$")
	local schema = text and zproto:parse(text)
	if schema then
		local names = structs(schema)
		return schema, names[#names], bytes
	end
end

describe("the corpus of the fuzzers", function()
	it("parses as schemas or is refused with a line", function()
		each("schema", function(text, name)
			local schema, why = zproto:parse(text)
			assert(schema or why:find("^%d+: "), name)
		end)
	end)

	it("is decoded, and encoded and decoded again", function()
		local decoded = 0
		each("message", function(input, name)
			local schema, of, bytes = message(input)
			local value, used = nil, nil
			if schema then
				value, used = schema:decode(of, bytes)
			end
			decoded = decoded + (value and 1 or 0)
			if value and HAS_INTEGERS then
				local again = schema:encode(of, value)
				assert(#again <= used and used <= #bytes, name)
				local _, reused = schema:decode(of, schema:unpack(schema:pack(again)))
				assert.equal(#again, reused, name)
			end
		end)
		assert(decoded > 0)
	end)

	it("is unpacked or refused, and packed and unpacked again", function()
		each("packing", function(bytes, name)
			local unpacked = rich:unpack(bytes)
			assert(unpacked == nil or #unpacked <= 8 * #bytes, name)
			local back = rich:unpack(rich:pack(bytes))
			assert.equal(bytes, back:sub(1, #bytes), name)
			assert(not back:find("[^%z]", #bytes + 1), name)
		end)
	end)
end)
