package main

import (
	"context"
	"encoding/json"

	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
)

// expressed computes what a Kustomization's healthCheckExprs make of an object; the script is its entry, as JSON.
func expressed(script string, question []byte) (any, error) {
	var expressions kustomize.HealthCheckExpressions
	if err := json.Unmarshal([]byte(script), &expressions); err != nil {
		return nil, err
	}
	object, err := parse(question)
	if err != nil {
		return nil, err
	}
	evaluator, err := cel.NewStatusEvaluator(&expressions)
	if err != nil {
		return nil, err
	}
	result, err := evaluator.Evaluate(context.Background(), object)
	if err != nil {
		return nil, err
	}
	return verdict{result.Status.String(), result.Message}, nil
}
