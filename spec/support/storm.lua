--- A storm of connections such as no good node makes, to be raised in a process of its own: random
--- bytes, frames with bits flipped, frames cut off, and all of these at one byte a second.
--
-- Whatever the bytes, it is known what a server that says each request's data again must make of
-- them: it answers the requests, and the first bytes that are no frame cost the connection; nothing
-- else does.

local tcp = require "silly.net.tcp"
local task = require "silly.task"
local time = require "silly.time"
local waitgroup = require "silly.sync.waitgroup"
local wire = require "spec.support.wire"

local storm = {}

local random = math.random

--- Milliseconds: for what must come, and for what must not.
local PATIENCE, MOMENT = 10000, 20
local SECOND = 1000

--- How many of the fast connections are there at a time.
local WIDTH = 100

-- The bytes -------------------------------------------------------------------------------------

--- Up to so many bytes, of all values or of the low ones, which as lengths mean something.
local function noise(most)
	local bytes, largest = {}, 2 ^ random(0, 8) - 1
	for index = 1, random(0, most) do
		bytes[index] = string.char(random(0, largest))
	end
	return table.concat(bytes)
end

--- A small request, a large one, or an answer that nobody waits for.
local function message()
	local session = random(0, 30000)
	if random(4) == 1 then
		return wire.response(session, noise(20))
	end
	return wire.request(session, random(9), random(20) == 1 and ("x"):rep(random(60000)) or noise(20))
end

--- One of them with one bit flipped, every other time one of its length.
local function mutant()
	local bytes, bit = message(), 2 ^ random(0, 7)
	local place = random(random(2) == 1 and 2 or #bytes)
	local byte = bytes:byte(place)
	local flipped = math.floor(byte / bit) % 2 == 0 and byte + bit or byte - bit
	return bytes:sub(1, place - 1) .. string.char(flipped) .. bytes:sub(place + 1)
end

local function several(make)
	local all = {}
	for index = 1, random(6) do
		all[index] = make()
	end
	return table.concat(all)
end

local kinds = {
	random = function()
		return noise(300)
	end,
	mutated = function()
		return several(function()
			return random(3) == 1 and mutant() or message()
		end)
	end,
	truncated = function()
		local stream = several(message)
		return stream:sub(1, random(0, #stream - 1))
	end,
}
local names = { "random", "mutated", "truncated" }

--- The answers to a stream, and whether it ends the connection.
local function expected(stream)
	local answers, offends = {}, false
	while #stream >= 2 do
		local length = stream:byte(1) * 256 + stream:byte(2)
		local frame, rest = wire.decode(stream)
		offends = length < 4 or frame and not frame.response and length < 16
		if offends or not frame then
			break
		elseif not frame.response then
			answers[#answers + 1] = wire.response(frame.session, frame.data)
		end
		stream = rest
	end
	return table.concat(answers), offends
end

-- The connections -------------------------------------------------------------------------------

--- Waits for what must come of a stream; what came instead, or nil.
local function wrong(conn, answers, offends)
	if offends then
		-- How many of the answers still leave is not promised.
		local _, why = conn:read(#answers + 1, PATIENCE)
		return (not why or why == "read timeout") and "not closed" or nil
	end
	if answers ~= "" and conn:read(#answers, PATIENCE) ~= answers then
		return "not answered"
	end
	local _, why = conn:read(1, MOMENT)
	return why ~= "read timeout" and (why or "answered too much") or nil
end

--- Writes a stream in so many pieces of a size, or until it offends: what was wrong with how the
--- other end took it, or nil; and whether it offended.
local function attack(addr, stream, pieces, piece_size, pause)
	local conn, why = tcp.connect(addr, { timeout = PATIENCE })
	if not conn then
		return why, false
	end
	local answers, offends
	for piece = 1, pieces do
		local first = (piece - 1) * piece_size + 1
		conn:write(stream:sub(first, first + piece_size - 1))
		answers, offends = expected(stream:sub(1, piece * piece_size))
		if offends then
			break
		end
		time.sleep(pause)
	end
	-- Some leave without a look.
	why = (offends or random(3) > 1) and wrong(conn, answers, offends) or nil
	conn:close()
	return why, offends
end

local function fast(addr, stream)
	local pieces = random(3)
	return attack(addr, stream, pieces, math.ceil(#stream / pieces), random(0, 3))
end

local function slow(addr, stream, seconds)
	return attack(addr, stream, seconds, 1, SECOND)
end

--- Makes so many connections; a quarter of them are there for so many seconds. What became of them:
--- how many are over, how many of those offended, and who was wronged by what.
---@async
function storm.rage(addr, count, seconds)
	local result = { over = 0, offences = 0, wronged = {} }
	local function note(run)
		local kind = names[random(#names)]
		local why, offends = run(addr, kinds[kind](), seconds)
		result.over = result.over + 1
		result.offences = result.offences + (offends and 1 or 0)
		result.wronged[#result.wronged + 1] = why and kind .. " " .. why
	end
	local group, left = waitgroup.new(), count
	for _ = 1, count / 4 do
		left = left - 1
		group:fork(function()
			note(slow)
		end)
	end
	for _ = 1, WIDTH do
		group:fork(function()
			while left > 0 do
				left = left - 1
				note(fast)
			end
		end)
	end
	group:wait()
	return result
end

--- The same as a program, which tells its result in one line.
function storm.main(addr, count, seconds, seed)
	math.randomseed(seed)
	task.fork(function()
		local result = storm.rage(addr, count, seconds)
		local wronged = table.concat(result.wronged, ", ")
		print(("over: %d, offences: %d, wronged: %s"):format(result.over, result.offences, wronged))
	end)
end

return storm
