--- zproto beside lua-cjson: the same message through both, and what a field costs in small and large
--- structs.
--
--   codec.lua MS        prints the nanoseconds of zproto and of cjson, or "-" where cjson is missing
--   codec.lua MS FIELDS prints the nanoseconds per field of a struct of so many fields
--
-- A round is encode, pack, unpack and decode; for JSON encode and decode.

local zproto = require "zproto"

local TYPICAL = [[
item {
	.id:integer 1
	.count:integer 2
	.name:string 3
}
player 1 {
	.id:integer 1
	.name:string 2
	.level:integer 3
	.gold:integer 4
	.online:boolean 5
	.score:float 6
	.guild:string 7
	.title:string 8
	.zone:integer 9
	.items:item[] 10
}
]]

local function typical()
	local items = {}
	for index = 1, 20 do
		items[index] = { id = 1000 + index, count = index * 7, name = "item number " .. index }
	end
	return {
		id = 123456789, name = "somebody", level = 42, gold = 1234567, online = true,
		score = 98.5, guild = "the night watch", title = "keeper", zone = 17, items = items,
	}
end

--- Nanoseconds of one round, the best of several runs in so much time.
local function measure(ms, round)
	local count, best = 100, math.huge
	local deadline = os.clock() + ms / 1000
	repeat
		local began = os.clock()
		for _ = 1, count do
			round()
		end
		best = math.min(best, (os.clock() - began) / count)
	until os.clock() > deadline
	return best * 1e9
end

local function through_zproto(schema, name, message)
	local proto = assert(zproto:parse(schema))
	return function()
		local data = proto:encode(name, message)
		local packed = proto:pack(data)
		local body = proto:unpack(packed)
		return proto:decode(name, body)
	end
end

local ms, fields = tonumber(arg[1]), tonumber(arg[2])
if fields then
	local lines, message = {}, {}
	for index = 1, fields do
		lines[index] = ("\t.field%d:integer %d"):format(index, index)
		message["field" .. index] = index
	end
	local schema = "wide 1 {\n" .. table.concat(lines, "\n") .. "\n}\n"
	print(("%.2f"):format(measure(ms, through_zproto(schema, "wide", message)) / fields))
else
	local message = typical()
	print(("%.0f"):format(measure(ms, through_zproto(TYPICAL, "player", message))))
	local found, cjson = pcall(require, "cjson")
	print(found and ("%.0f"):format(measure(ms, function()
		return cjson.decode(cjson.encode(message))
	end)) or "-")
end
