export interface ListedModel {
  readonly id: string;
  readonly ownedBy: string;
}

/** Body of `GET /v1/models`. `createdSeconds` is shown by clients only; one value for all keeps the list stable. */
export const openAiModelList = (models: readonly ListedModel[], createdSeconds: number): Buffer =>
  Buffer.from(
    JSON.stringify({
      object: "list",
      data: models.map((model) => ({ id: model.id, object: "model", created: createdSeconds, owned_by: model.ownedBy })),
    }),
  );
