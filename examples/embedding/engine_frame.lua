-- An engine that owns the loop and draws frame after frame: silly gets one step in each, which
-- never waits. All that tasks queue during a step leaves with it.
--
-- Start it with the interpreter; under bin/silly there is a loop already.
--
-- Prints:
--   asked
--   answer: the map of level 1
--   frames were drawn meanwhile: true
--   nothing is pending any more

local cluster = require "silly.net.cluster"
local silly = require "silly"
local task = require "silly.task"
local time = require "silly.time"

local LOAD_MAP = 1

cluster.serve {
	marshal = function(_, cmd, body)
		return body and cmd, body
	end,
	unmarshal = function(_, _, data)
		return data
	end,
	-- The engine plays both ends here; this one takes its time.
	call = function(_, _, level)
		time.sleep(50)
		return "the map of level " .. level
	end,
}

local frame = 0

local function load_map(level, shown)
	local listener = assert(cluster.listen("127.0.0.1:0"))
	local server = cluster.connect(listener.addr)
	print("asked")
	local asked = frame
	shown(assert(cluster.call(server, LOAD_MAP, level)))
	print("frames were drawn meanwhile: " .. tostring(frame > asked))
	cluster.close(server)
	cluster.close(listener)
end

-- Stands for drawing, and for waiting for the display.
local function draw()
	local began = time.monotonic()
	repeat until time.monotonic() - began >= 4
end

task.fork(function()
	load_map("1", function(map)
		print("answer: " .. map)
	end)
end)

repeat
	frame = frame + 1
	draw()
until not silly.step(0)
print("nothing is pending any more")
