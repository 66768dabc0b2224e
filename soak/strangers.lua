--- Peers that nobody invited: they never read, send what is no frame, or come in crowds. Each function
--- ends when they are gone.

local tcp = require "silly.net.tcp"
local time = require "silly.time"
local waitgroup = require "silly.sync.waitgroup"
local wires = require "spec.support.wire"
local node = require "soak.node"

local wire = node.WIRE == 2 and wires.two or wires

local strangers = {}

--- Milliseconds that a stranger stays, and that its dial may take.
local STAY, PATIENCE = 500, 2000

--- So many at once.
local DEAF, HOSTILE, CROWD, FEW = 4, 40, 300, 20

--- Requests that a deaf peer sends, and the bytes in each.
local REQUESTS, SIZE = 200, 20000

--- Lets so many connections at once do something; those that the server has no room for do nothing.
local function many(addr, count, act)
	local group = waitgroup.new()
	for _ = 1, count do
		group:fork(function()
			local conn = tcp.connect(addr, { timeout = PATIENCE })
			if conn then
				act(conn)
				conn:close()
			end
		end)
	end
	group:wait()
end

--- Asks for megabytes and reads nothing.
function strangers.deaf(addr)
	local request = wire.request(1, node.ECHO, ("d"):rep(SIZE))
	many(addr, DEAF, function(conn)
		for _ = 1, REQUESTS do
			conn:write(request)
		end
		time.sleep(STAY)
	end)
end

--- Bytes without sense.
local function noise(roll)
	local bytes = {}
	for index = 1, roll(400) do
		bytes[index] = string.char(roll(256) - 1)
	end
	return table.concat(bytes)
end

--- A frame that ends too early.
local function truncated(roll)
	local frame = wire.request(roll(1000), node.ECHO, noise(roll))
	return frame:sub(1, roll(#frame))
end

--- A frame with one wrong byte.
local function damaged(roll)
	local frame = wire.request(roll(1000), node.ECHO, noise(roll))
	local place = roll(#frame)
	return frame:sub(1, place - 1) .. string.char(roll(256) - 1) .. frame:sub(place + 1)
end

--- Answers that nobody has asked for.
local function stray(roll)
	return wire.response(roll(1000), noise(roll))
end

--- Sends bytes at random, some of them one by one.
function strangers.hostile(addr, roll)
	local makers = { noise, truncated, damaged, stray }
	many(addr, HOSTILE, function(conn)
		local bytes = makers[roll(#makers)](roll)
		if roll(2) == 1 then
			conn:write(bytes)
			time.sleep(roll(STAY))
			return
		end
		for index = 1, math.min(#bytes, 50) do
			conn:write(bytes:sub(index, index))
			time.sleep(roll(10))
		end
	end)
end

local function stay()
	time.sleep(STAY)
end

--- Come in a crowd, and leave.
function strangers.storm(addr)
	many(addr, CROWD, stay)
end

--- Come, and leave.
function strangers.visit(addr)
	many(addr, FEW, stay)
end

return strangers
